# Set-up and checks. `make demo` and `make test` are all a new machine needs (Python 3.11+ and make).
PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4

.PHONY: demo test realdata long bench faults check lint types layers clean

demo: .venv/.installed
	$(BIN)/dlrun train configs/digits.yaml

test: .venv/.installed-test
	$(PYTEST) --dist worksteal

# The tests that need the real data files: DLRUN_DATA=/path/to/data make realdata
realdata: .venv/.installed-test
	$(BIN)/pytest -m realdata

# What takes too long for each check: all cases of the tests of which `make check` runs a part.
long: .venv/.installed-test
	$(PYTEST) --dist loadfile -m long

# Plain Keras scripts against dlrun: make bench ARGS=--quick, make bench ARGS='--only digits boston --rounds 1'
bench: .venv/.installed
	$(BIN)/python -m bench $(ARGS)

# The long form of tests/faults: 60 killed runs, a disk that is full at every change of a file, and every file of a run
# damaged (an hour or more)
faults: .venv/.installed-test
	$(BIN)/python tests/faults/many_kills.py
	$(BIN)/python tests/faults/many_failures.py
	$(BIN)/python tests/faults/many_damages.py

# The slow tests run after the others, the JAX backend among them.
check: .venv/.installed-dev lint types layers test
	$(PYTEST) --dist loadfile -m 'slow and not gpu and not network and not realdata'

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-dev
	$(BIN)/mypy

layers: .venv/.installed-dev
	$(BIN)/lint-imports

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dlrun needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	@echo 'installing into .venv, which takes a minute or two'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.installed-test: pyproject.toml | .venv/bin/python
	@echo 'installing into .venv, which takes a minute or two'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ .venv/.installed

.venv/.installed-dev: pyproject.toml | .venv/bin/python
	@echo 'installing into .venv, which takes a minute or two'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.installed .venv/.installed-test

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
