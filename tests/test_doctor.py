import subprocess
import sys

import pytest

from dlrun import doctor


def _found(findings):
    return {finding.subject: finding for finding in findings}


def _answers(monkeypatch, *, gpus=(), cuda=False, driven=()):
    monkeypatch.setattr(doctor, "_run", lambda command: ({"gpus": list(gpus), "cuda": cuda, "sum": 64**3}, ""))
    monkeypatch.setattr(doctor, "driver_gpus", lambda: list(driven))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_gpu_that_only_the_driver_sees_is_told_with_the_remedy(monkeypatch):
    _answers(monkeypatch, driven=["NVIDIA A100"])
    finding = _found(doctor._devices())["GPU"]
    assert finding.status == doctor.NOTE
    assert "NVIDIA A100" in finding.text
    assert "pip install 'dlrun[gpu]'" in finding.hint


def test_hidden_gpus_are_not_blamed_on_the_installation(monkeypatch):
    _answers(monkeypatch, cuda=True, driven=["NVIDIA A100"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES is set to '-1'" in _found(doctor._devices())["GPU"].hint


def test_a_gpu_that_both_see_is_fine(monkeypatch):
    _answers(monkeypatch, gpus=["NVIDIA A100"], cuda=True, driven=["NVIDIA A100"])
    (finding,) = doctor._devices()
    assert (finding.status, finding.text) == (doctor.OK, "TensorFlow sees the CPU and 1 GPU (NVIDIA A100)")


@pytest.mark.parametrize(
    ("program", "trouble"),
    [
        ("raise ImportError('no libcuda')", "ImportError: no libcuda"),
        ("import os; os.abort()", "signal 6"),
        ("print('no json')", "substring not found"),
    ],
)
def test_a_process_that_fails_is_told_and_not_crashed_upon(program, trouble):
    answer, said = doctor._run([sys.executable, "-c", program])
    assert answer is None
    assert trouble in said


def test_a_process_that_hangs_is_given_up():
    def run(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    assert doctor._run(["x"], run) == (None, "no end within 300 s")


def test_a_broken_tensorflow_breaks(monkeypatch):
    monkeypatch.setattr(doctor, "_run", lambda command: (None, "ImportError: x"))
    (finding,) = doctor._devices()
    assert finding.status == doctor.BROKEN
    assert "ImportError: x" in finding.text
    assert doctor._training().status == doctor.BROKEN


def test_a_training_that_learns_nothing_breaks(monkeypatch):
    monkeypatch.setattr(doctor, "_run", lambda command: ({"metrics": {"best": {"val_accuracy": 0.1}}}, ""))
    assert doctor._training().status == doctor.BROKEN


def test_missing_packages_break(monkeypatch):
    monkeypatch.setattr(doctor, "installed_versions", lambda: {"python": "3.12.0", "keras": "3.15"})
    finding = doctor._versions()
    assert finding.status == doctor.BROKEN
    assert "missing: tensorflow, numpy" in finding.text


def test_outputs_that_cannot_be_written_break(tmp_path):
    (tmp_path / "file").touch()
    assert doctor._outputs(tmp_path / "new" / "outputs").status == doctor.OK
    assert not (tmp_path / "new").exists()
    assert doctor._outputs(tmp_path / "file" / "outputs").status == doctor.BROKEN


def test_data_places_and_found_datasets_are_told(tmp_path, monkeypatch):
    (tmp_path / "imdb.npz").touch()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path))
    found = _found(doctor._data())
    assert str(tmp_path) in found["data"].text
    assert found["datasets"].text == "found: imdb"
    assert "reuters" in found["datasets"].hint
    monkeypatch.setenv("DLRUN_DATA", str(tmp_path / "nowhere"))
    assert _found(doctor._data())["data"].status == doctor.NOTE


@pytest.mark.parametrize(("system", "advice"), [("darwin", "XLA"), ("win32", "WSL2")])
def test_other_systems_get_their_advice(monkeypatch, system, advice):
    monkeypatch.setattr(doctor.sys, "platform", system)
    (finding,) = doctor._system()
    assert advice in finding.hint


def test_the_cache_is_told_with_its_size_and_how_to_empty_it(monkeypatch, tmp_path):
    monkeypatch.setenv("DLRUN_CACHE", str(tmp_path))
    monkeypatch.setenv("DLRUN_CACHE_LIMIT_GB", "2.5")
    assert doctor._cache() == doctor.Finding("cache", doctor.OK, f"prepared data: 0.0 of at most 2.5 GB, in {tmp_path}")
    with (tmp_path / "a.bin").open("wb") as file:
        file.truncate(1_200_000_000)
    assert "prepared data: 1.2 of at most 2.5 GB" in doctor._cache().text
    assert f"rm -r {tmp_path}" in doctor._cache().hint
    monkeypatch.setenv("DLRUN_CACHE_LIMIT_GB", "all")
    assert doctor._cache().status == doctor.NOTE
