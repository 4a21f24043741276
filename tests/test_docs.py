"""The docs are true: commands run, links lead somewhere, every verb has help and a page."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from dlrun.cli import app, main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
VERBS = sorted(typer.main.get_command(app).commands)


def commands(page):
    """The `dlrun` command lines in the shell blocks of a page, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("dlrun ")]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_a_page(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert "Usage: dlrun " + verb in capsys.readouterr().out
    page = (ROOT / "docs" / "verbs" / f"{verb}.md").read_text()
    assert page.startswith(f"# dlrun {verb}\n")
    assert f"verbs/{verb}.md" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_verbs_and_options_that_exist(page):
    known = typer.main.get_command(app).commands
    for words in commands(page):
        assert words[0] in known, words
        inner = getattr(known[words[0]], "commands", {})
        command = inner.get(words[1] if len(words) > 1 else "ls", inner.get("ls")) if inner else known[words[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word.split("=")[0] for word in words[1:] if re.match("--?[a-z]", word)} <= options, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), target


def test_the_readme_names_the_two_commands_first():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert blocks[0] == "make demo\nmake test\n"


def test_the_commands_of_the_readme_run_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faster = ["-s", "training.epochs=1", "-s", "training.tensorboard=false", "-s", "runtime.jit_compile=false"]
    for words in commands(ROOT / "README.md"):
        extra = faster if words[0] == "train" else []
        extra = [*extra, "--sample"] if words[:2] == ["train", "imdb"] else extra
        assert main([*words, *extra]) == 0, words


def test_the_yaml_of_the_readme_is_the_shipped_config():
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)[0]
    shipped = (ROOT / "configs" / "digits.yaml").read_text()
    assert shown == "".join(line for line in shipped.splitlines(keepends=True) if not line.startswith("#"))


def test_the_plugin_of_the_docs_works(tmp_path, capsys):
    page = (ROOT / "docs" / "plugins.md").read_text()
    (tmp_path / "my_models.py").write_text(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)[0])
    (tmp_path / "mine.yaml").write_text(re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[0])
    assert main(["check", str(tmp_path / "mine.yaml"), "--summary"]) == 0
    assert "Concatenate" in capsys.readouterr().out


def test_the_layers_in_the_docs_are_those_that_are_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [line.replace("dlrun.", "") for line in contracts[0]["layers"]]
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert re.findall(r"## Layers.*?```\n(.*?)```", page, flags=re.DOTALL)[0].splitlines() == checked
