import gzip
import json
import tarfile
from pathlib import Path

import pytest
import yaml

from dlrun.cli import main
from dlrun.config.finding import shipped_configs
from dlrun.config.loading import load_config
from dlrun.data_places import find_data

FAST = ["-s", "training.epochs=1", "-s", "training.tensorboard=false", "-s", "runtime.jit_compile=false", "--quiet"]
PEOPLE = "age,city,Survived,fare\n" + "".join(
    f"{20 + i % 40},{'Rome' if i % 3 else 'Bern'},{i % 2},{i * 1.5}\n" for i in range(60)
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _init(capsys, *arguments):
    """The config that init writes, as YAML reads it."""
    assert main(["init", *map(str, arguments), "--json"]) == 0
    file = Path(json.loads(capsys.readouterr().out)["file"])
    text = file.read_text()
    assert len([line for line in text.splitlines() if not line.startswith("#")]) <= 12
    load_config(file, to_train=True)
    return yaml.safe_load(text)


def _table(name, text):
    Path(name).write_text(text)
    return name


def test_a_table_with_a_header_trains_as_it_is(capsys):
    config = _init(capsys, _table("people.csv", PEOPLE))
    assert config["name"] == "people"
    assert config["data"] == {"name": "csv", "path": "people.csv", "target": "Survived"}
    assert config["split"]["test"] == 0.2
    assert main(["train", "people.yaml", *FAST]) == 0


@pytest.mark.parametrize("fare", ["{},5", "{}.5"])
def test_decimal_commas_are_written_down(capsys, fare):
    text = "age;Survived;fare\n" + "".join(f"{20 + i % 40};{i % 2};{fare.format(i)}\n" for i in range(60))
    data = _init(capsys, _table("people.csv", text))["data"]
    assert data.get("decimal") == ("," if "," in fare else None)


def test_what_is_assumed_is_said_and_written(capsys):
    assert main(["init", _table("people.csv", PEOPLE)]) == 0
    out = capsys.readouterr().out
    said = "- target: Survived (binary: 0, 1), by its name; for another one change data.target"
    assert said in out
    assert f"# {said}" in Path("people.yaml").read_text()
    assert "dlrun train people.yaml" in out


@pytest.mark.parametrize(("wish", "target"), [("fare", "fare"), ("1", "age"), ("-1", "fare")])
def test_the_target_can_be_said(capsys, wish, target):
    assert _init(capsys, _table("people.csv", PEOPLE), "--target", wish)["data"]["target"] == target


def test_without_a_header_columns_go_by_number(capsys):
    rows = "".join(f"{i % 7},{i % 5}.5,{'yes' if i % 2 else 'no'}\n" for i in range(40))
    with gzip.open("rows.csv.gz", "wt") as file:
        file.write(rows)
    config = _init(capsys, "rows.csv.gz")
    assert config["name"] == "rows"
    assert config["data"]["target"] == -1


def test_a_last_column_that_is_no_target_is_passed_over(capsys):
    rows = "".join(f"{i % 7}\t{i % 2}\tperson number {i}\n" for i in range(60))
    config = _init(capsys, _table("rows.tsv", "size\tkind\tnote\n" + rows))
    assert config["data"]["target"] == "kind"


def test_gaps_in_the_target_and_empty_columns_are_taken_care_of(capsys):
    rows = "".join(f"{i % 7},,{i % 2 if i % 9 else ''}\n" for i in range(60))
    config = _init(capsys, _table("rows.csv", "size,nothing,label\n" + rows))
    assert config["data"]["drop_missing_target"] is True
    assert config["data"]["drop"] == ["nothing"]
    assert main(["train", "rows.yaml", *FAST]) == 0


def test_a_file_in_latin_1_says_so(capsys):
    Path("rows.csv").write_bytes(PEOPLE.replace("Bern", "Zürich").encode("latin-1"))
    assert _init(capsys, "rows.csv")["data"]["encoding"] == "latin-1"


def test_names_that_yaml_would_misread_are_quoted(capsys):
    text = PEOPLE.replace("Survived", "y").replace("age,", "a: b,")
    config = _init(capsys, _table("on.csv", text))
    assert (config["name"], config["data"]["target"]) == ("on", "y")


def test_a_series_is_known_by_its_times(capsys):
    rows = "".join(f"2024-01-{1 + i // 24:02}T{i % 24:02}:00,{i % 11},{i % 7}.5\n" for i in range(24 * 28))
    config = _init(capsys, _table("weather.csv", "time,wind,T (degC)\n" + rows))
    assert config["data"]["name"] == "timeseries_csv"
    assert config["data"]["target"] == "T (degC)"
    assert config["data"]["test"] == 0.2
    assert main(["train", "weather.yaml", *FAST]) == 0


def test_texts_in_a_table_are_known_by_their_words(capsys):
    rows = "".join(f'"this is review {i} of a {"good" if i % 2 else "bad"} film I saw",{i % 2}\n' for i in range(60))
    config = _init(capsys, _table("reviews.csv", "review,sentiment\n" + rows))
    assert config["data"] == {"name": "text_csv", "path": "reviews.csv", "text": "review", "label": "sentiment"}


def test_a_folder_of_texts(capsys):
    for kind in ("neg", "pos"):
        for i in range(10):
            file = Path("texts", "mail", kind, f"{i}.txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"a {kind} text with number {i}")
    config = _init(capsys, "texts/mail")
    assert config["data"] == {"name": "text_folder", "path": "texts/mail", "num_words": 10000}
    assert config["split"]["test"] == 0.2


def test_a_folder_of_images_takes_their_size(capsys):
    from PIL import Image

    for part in ("train", "test"):
        for kind in ("a", "b"):
            for i in range(6):
                file = Path("pictures", part, kind, f"{i}.png")
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (40, 32), (40 * i, 0, 0)).save(file)
    config = _init(capsys, "pictures")
    assert config["data"] == {"name": "image_folder", "path": "pictures", "height": 32, "width": 32}
    assert "split" not in config  # the data has a test part
    assert main(["train", "pictures.yaml", *FAST]) == 0


@pytest.mark.parametrize(
    ("shape", "dtype", "model"),
    [
        ((8,), "float32", "mlp"),
        ((12, 12), "uint8", "convnet"),
        ((20, 20, 3), "uint8", "convnet"),
        ((9, 3), "f4", "rnn"),
    ],
)
@pytest.mark.parametrize("parts", [("",), ("_train", "_test")])
def test_arrays(capsys, shape, dtype, model, parts):
    import numpy as np

    arrays = {f"x{part}": np.arange(40 * np.prod(shape)).reshape(40, *shape).astype(dtype) for part in parts}
    np.savez("mine.npz", **arrays, **{f"y{part}": np.arange(40) % 2 for part in parts})
    config = _init(capsys, "mine.npz")
    assert config["data"] == {"name": "npz", "path": "mine.npz"}
    assert config["model"]["name"] == model
    assert ("split" in config) == (parts == ("",))
    assert main(["train", "mine.yaml", *FAST]) == 0


def test_a_file_is_replaced_only_by_force(capsys):
    _table("people.csv", PEOPLE)
    Path("people.yaml").write_text("mine")
    assert main(["init", "people.csv"]) == 2
    assert "people.yaml exists already" in capsys.readouterr().err
    assert Path("people.yaml").read_text() == "mine"
    _init(capsys, "people.csv", "--force")
    assert _init(capsys, "people.csv", "--output", "other.yaml")["name"] == "people"


def test_a_config_elsewhere_finds_the_data(capsys, folder):
    _table("people.csv", PEOPLE)
    Path("configs").mkdir()
    path = _init(capsys, "people.csv", "--output", "configs/people.yaml")["data"]["path"]
    assert path == str(folder / "people.csv")


def test_a_path_below_a_data_folder_stays_short(capsys, folder, monkeypatch):
    (folder / "data" / "titanic").mkdir(parents=True)
    _table("data/titanic/train.csv", PEOPLE)
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    monkeypatch.setenv("DLRUN_DATA", str(folder / "data"))
    config = _init(capsys, "titanic/train.csv")
    assert (config["name"], config["data"]["path"]) == ("titanic", "titanic/train.csv")


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_shipped_configs_can_be_copied(capsys, name):
    file = Path(name).name + ".yaml"  # which names a config that does not name itself
    assert main(["init", name, "--output", file]) == 0
    assert "yaml-language-server" not in Path(file).read_text()
    copy, original = load_config(file), load_config(shipped_configs()[name])
    assert copy.model_dump() == original.model_dump()
    assert find_data(copy).missing == find_data(original).missing


def test_a_copy_holds_what_the_shipped_config_extends(capsys, folder, monkeypatch):
    (folder / "base.yaml").write_text("data: digits\nmodel: mlp\ntraining: {epochs: 3}\n")
    (folder / "child.yaml").write_text("# About it.\nextends: base.yaml\ntraining: {epochs: 7}\n")
    files = {"child": folder / "child.yaml"}
    monkeypatch.setattr("dlrun.init.shipped_configs", lambda: files)
    monkeypatch.setattr("dlrun.config.finding.shipped_configs", lambda: files)
    assert main(["init", "child", "--output", "copy.yaml"]) == 0
    copy = yaml.safe_load(Path("copy.yaml").read_text())
    assert (copy["name"], copy["training"]["epochs"]) == ("child", 7)
    assert Path("copy.yaml").read_text().startswith("# About it.")


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("nobody", 2, "there is no data file, folder or shipped config 'nobody'"),
        ("mine.yaml", 2, "mine.yaml is a config, not data"),
        ("notes.pdf", 2, "nothing that init can write a config for"),
        ("empty", 2, "holds neither images nor folders of texts"),
        ("broken.zip", 2, "cannot be read as an archive"),
        ("flat", 1, "flat"),
        ("objects.npz", 2, "holds Python objects"),
        ("pictures.tar", 2, "images are read from a folder or a .zip"),
        ("empty.csv", 1, "the file is empty"),
        ("names.csv", 2, "no column can be told to be the target"),
    ],
)
def test_what_cannot_be_used_is_said(capsys, source, code, message):
    import numpy as np

    Path("empty").mkdir()
    Path("flat").mkdir()
    Path("flat", "a.png").touch()
    np.savez("objects.npz", x=np.array([[1], [1, 2]], object), y=np.arange(2))
    with tarfile.open("pictures.tar", "w") as tar:
        tar.add("flat/a.png")
    for name in ("notes.pdf", "broken.zip", "empty.csv", "mine.yaml"):
        Path(name).touch()
    _table("names.csv", "name,other\n" + "".join(f"person {i},thing {i}\n" for i in range(40)))
    assert main(["init", source]) == code
    assert message in capsys.readouterr().err


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("titanic/train.csv", "Survived"),
        ("adult/adult-train.csv.gz", -1),
        ("california_housing/housing.csv.gz", "median_house_value"),
        ("pima_diabetes/pima-indians-diabetes.csv", -1),
        ("jena_climate/jena_roof_2024_14features.csv", "T (degC)"),
        ("cats_vs_dogs/dogs-vs-cats_first500.zip", None),
        ("imdb/aclImdb_labelled.tar.xz", None),
    ],
)
def test_real_files_get_configs_that_train(real_data, monkeypatch, capsys, path, target):
    config = _init(capsys, path, "--output", "it.yaml")
    assert config["data"].get("target") == target
    assert main(["check", "it.yaml"]) == 0
    assert main(["train", "it.yaml", *FAST]) == 0
