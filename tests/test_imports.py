"""What a start loads, seen in a fresh process."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "numpy", "sklearn", "matplotlib", "scipy", "h5py")


def _loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running `code`."""
    script = f"import sys\n{code}\nprint('\\n' + ' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["check", "digits", "imdb"],
        ["fetch"],
        ["show", "imdb"],
        ["list", "models"],
        ["schema"],
        ["runs"],
    ],
)
def test_these_commands_load_no_heavy_package(arguments):
    loaded = _loaded_after(f"from dlrun.cli import main\nassert main({arguments!r}) == 0")
    assert not loaded & set(HEAVY)


def test_help_does_not_even_load_pydantic_or_yaml():
    assert not _loaded_after("from dlrun.cli import main\nmain(['--help'])") & {"pydantic", "yaml"}


def test_api_loads_no_keras_before_it_is_used():
    assert not _loaded_after("from dlrun.api import load_config\nload_config('digits')") & set(HEAVY)


def test_best_keras_loads_with_plain_keras_where_there_is_no_dlrun(digits_run):
    script = (
        "import sys; sys.modules['dlrun'] = None\n"
        "import keras, numpy\n"
        f"model = keras.saving.load_model({str(digits_run.model_file('best'))!r})\n"
        "print(model.predict(numpy.zeros((2, 64)), verbose=0).shape)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(2, 10)"
