import json

import pytest

from dlrun.cli import main
from dlrun.registry import DATASETS

CSV = "age,city,income\n" + "".join(f"{20 + i % 40},{'Rome' if i % 3 else 'Bern'},{1000 + 7 * i}\n" for i in range(60))


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(CSV)
    (tmp_path / "people.yaml").write_text("data: {name: csv, path: people.csv, target: income}\n")
    return tmp_path


def _json(capsys, *arguments):
    assert main(["data", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["data"]


def test_classes_are_counted_in_every_part(capsys):
    found = _json(capsys, "digits")
    assert found["rows"] == {"training": 1150, "validation": 288, "test": 359}
    (target,) = found["targets"]
    for split, counts in target["counts"].items():
        assert sum(counts.values()) == found["rows"][split]
    (one,) = found["inputs"]
    assert (one["shape"], one["dtype"]) == ([64], "float32")
    assert (one["values"]["low"], one["values"]["high"]) == (0, 1)


def test_a_batch_is_as_large_as_that_of_training(capsys):
    found = _json(capsys, "digits", "-s", "training.batch_size=10")
    assert found["batch_size"] == 10
    assert found["batch_bytes"] == 10 * 64 * 4


def test_numbers_are_told_in_their_own_units_and_notes_and_files_too(table, capsys):
    found = _json(capsys, "people.yaml")
    (target,) = found["targets"]
    assert target["scaled"]
    assert target["values"]["training"]["low"] >= 1000
    assert "age=" in found["examples"][0]["text"]
    assert found["files"] == [str(table / "people.csv")]


def test_the_text_has_all_of_it(table, capsys):
    assert main(["data", "people.yaml"]) == 0
    out = capsys.readouterr().out
    for expected in ("csv: ", "split: shuffled", "(batch, 3)", "income (regression; scaled for training)", "city="):
        assert expected in out


@pytest.mark.parametrize(
    ("target", "expected"), [("[p, q], task: multilabel", "50.0%"), ("[a, b]", "training, output 2")]
)
def test_several_targets_are_told_one_by_one(tmp_path, monkeypatch, capsys, target, expected):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 7},{i % 5},1,{i % 2}\n" for i in range(60))
    (tmp_path / "many.csv").write_text("a,b,p,q\n" + rows)
    (tmp_path / "many.yaml").write_text(
        f"data: {{name: csv, path: many.csv, target: {target}}}\nsplit: {{kind: head}}\n"
    )
    assert main(["data", "many.yaml"]) == 0
    assert expected in capsys.readouterr().out


def test_generated_texts_are_decoded(capsys):
    found = _json(capsys, "imdb", "--sample", "-s", "split.validation=500")
    assert "word" in found["examples"][0]["text"]
    assert any("stand-in" in note for note in found["notes"])


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(("config", "picture"), [("digits", "pixels.png"), ("people.yaml", "features.png")])
def test_pictures_are_drawn(table, capsys, config, picture):
    found = _json(capsys, config, "--plot", "pictures")
    assert found["pictures"] == [f"pictures/{picture}"]
    assert (table / "pictures" / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("pictures")
def test_a_series_is_drawn_with_its_windows_and_parts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{i % 11},{i % 7}.5\n" for i in range(24 * 20))
    (tmp_path / "weather.csv").write_text("time,wind,temperature\n" + rows)
    data = "{name: timeseries_csv, path: weather.csv, target: wind, lookback: 24, delay: 6}"
    (tmp_path / "weather.yaml").write_text(f"data: {data}\n")
    found = _json(capsys, "weather.yaml", "--plot", "pictures")
    assert found["pictures"] == ["pictures/series.png", "pictures/series_whole.png"]
    assert found["inputs"][0]["shape"] == [24, 2]


@pytest.mark.usefixtures("pictures")
def test_images_of_a_folder_are_drawn_and_named(tmp_path, monkeypatch, capsys):
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for kind in ("cat", "dog"):
        for i in range(10):
            file = tmp_path / "pictures" / kind / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 12), (20 * i, 0, 0)).save(file)
    (tmp_path / "pictures.yaml").write_text("data: {name: image_folder, path: pictures, height: 8, width: 8}\n")
    found = _json(capsys, "pictures.yaml", "--plot", "drawn")
    assert found["pictures"] == ["drawn/image.png"]
    assert ".png" in found["examples"][0]["text"]


def test_versions_of_an_augmented_picture_are_drawn(tmp_path, monkeypatch, capsys):
    drawn = []
    monkeypatch.setattr("dlrun.inspect_data.draw_images", lambda images, titles, path: drawn.append(images) or path)
    options = ("-s", "data.image=true", "-s", "data.augment={rotation: 40, zoom: 0.2}")
    found = _json(capsys, "digits", "--plot", str(tmp_path), *options)
    assert found["pictures"] == [str(tmp_path / "image.png"), str(tmp_path / "image_versions.png")]
    (grid, versions) = drawn
    assert versions.shape == (10, 8, 8, 1)
    assert len({picture.tobytes() for picture in versions}) == 10
    assert not (versions[0] == grid[0]).all()  # the first of the batch is augmented, the first of the versions is not


def test_more_labels_than_fit_are_cut_on_the_screen_only(capsys):
    assert main(["data", "reuters", "--sample"]) == 0
    assert "... 26 more labels" in capsys.readouterr().out


def test_a_missing_file_is_an_error_of_the_data(table, capsys):
    assert main(["data", "people.yaml", "-s", "data.path=nobody.csv"]) == 1
    assert "nobody.csv" in capsys.readouterr().err


def test_the_data_is_read_once(capsys, monkeypatch):
    builder, calls = DATASETS.get("digits"), []
    monkeypatch.setitem(DATASETS._builders, "digits", lambda *a, **k: calls.append(1) or builder(*a, **k))
    assert _json(capsys, "digits")["examples"]
    assert len(calls) == 1
