import pytest

from dlrun.errors import PluginError, UnknownNameError
from dlrun.registry import DATASETS, MODELS, REGISTRIES, check_plugin, load_plugin, scan_file

PLUGIN = '''
import dlrun

@dlrun.model("tiny_net")
def tiny_net(spec, *, units: int = 3):
    """A small net."""
    return units
'''


@pytest.mark.parametrize("kind", sorted(REGISTRIES))
def test_every_builtin_name_is_a_file_with_a_first_docstring_line(kind):
    registry = REGISTRIES[kind]
    assert registry.builtin_names()
    for name, entry in registry.entries().items():
        assert entry.name == name == entry.signature.file.stem
        assert entry.signature.first_doc_line


def test_a_plugin_is_described_without_being_run(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN + "\nraise RuntimeError('ran')\n")
    entry = MODELS.describe("tiny_net", [path])
    assert entry.signature.first_doc_line == "A small net."
    assert entry.signature.keyword_parameters()["units"].default == 3
    assert "tiny_net" in MODELS.entries([path])


def test_a_loaded_plugin_gives_its_builder(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    assert MODELS.get("tiny_net")(None, units=5) == 5


def test_a_failing_plugin_names_its_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN + "\nraise RuntimeError('no good')\n")
    with pytest.raises(PluginError, match=r"mine\.py:9: the plugin failed while loading: RuntimeError: no good"):
        load_plugin(path)


def test_a_plugin_with_a_syntax_error_names_its_line(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def broken(:\n")
    with pytest.raises(PluginError, match=r"mine\.py:1: the plugin is not valid Python"):
        scan_file(path)


def test_a_plugin_that_registers_nothing_is_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("x = 1\n")
    with pytest.raises(PluginError, match="registers nothing"):
        load_plugin(path)


def test_a_plugin_cannot_take_a_builtin_name(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN.replace("tiny_net", "mlp"))
    with pytest.raises(PluginError, match="the model 'mlp' is already part of dlrun"):
        load_plugin(path)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="no dataset named 'digit'") as caught:
        DATASETS.get("digit")
    assert "did you mean digits?" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "signature", "fixed"),
    [
        ("model", "spec, units=3", r"def tiny\(spec, \*, units\)"),
        ("dataset", "context, path: str, *, rows: int = 3", r"def tiny\(context, \*, path\)"),
        ("routine", "", r"def tiny\(experiment\)"),
    ],
)
def test_a_plugin_whose_parameters_stand_left_of_the_star_is_refused(tmp_path, kind, signature, fixed):
    path = tmp_path / "mine.py"
    path.write_text(f"import dlrun\n\n\n@dlrun.{kind}('tiny')\ndef tiny({signature}):\n    return None\n")
    with pytest.raises(PluginError, match=rf"mine\.py:5: dlrun calls the {kind} 'tiny' with one argument") as caught:
        check_plugin(path)
    assert caught.match(fixed)


@pytest.mark.parametrize("signature", ["spec", "spec, *, units", "spec, /, **more"])
def test_one_parameter_left_of_the_star_is_the_rule(tmp_path, signature):
    path = tmp_path / "mine.py"
    path.write_text(f"import dlrun\n\n\n@dlrun.model('tiny')\ndef tiny({signature}):\n    return None\n")
    assert check_plugin(path)


@pytest.mark.parametrize("kind", ["dataset", "model", "routine", "callback"])
def test_the_builtin_components_keep_the_rule(kind):
    for entry in REGISTRIES[kind].entries().values():
        assert len([p for p in entry.signature.parameters if not p.keyword_only]) == 1, entry.name


NO_PLUGINS = {
    "nested too deeply to be read": "x = " + "-" * 50_000 + "1",
    "is nested too deeply": "x = " + "+".join(["1"] * 20_000),
    "null bytes": "\0",
    "is larger than 2000 kB": "#" * 2_000_001,
}


@pytest.mark.parametrize(("message", "text"), NO_PLUGINS.items(), ids=NO_PLUGINS)
def test_a_file_that_wears_out_the_parser_is_refused(tmp_path, message, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(PluginError, match=message):
        scan_file(path)
