"""What is kept of the machine and its packages."""

import re
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from dlrun import machine
from dlrun.machine import installed_packages, machine_facts, steering_variables


def test_packages_are_lines_that_pip_can_install_from():
    lines = installed_packages()
    assert f"keras=={metadata.version('keras')}" in lines
    assert f"scikit-learn=={metadata.version('scikit-learn')}" in lines
    assert lines == sorted(lines, key=lambda line: line.removeprefix("# ").partition("=")[0])
    assert all(re.fullmatch(r"(# )?[a-z0-9-]+==[^ ]+( was installed from .*)?", line) for line in lines)
    assert len({line.partition("==")[0] for line in lines}) == len(lines)


def test_a_package_that_was_not_installed_from_an_index_is_a_comment(tmp_path, monkeypatch):
    for name in ("My_Own-1.0.dist-info", "plain.name-2!1.5+cu12.dist-info", "nothing"):
        (tmp_path / name).mkdir()
    (tmp_path / "My_Own-1.0.dist-info" / "direct_url.json").write_text('{"url": "https://user:secret@host"}')
    monkeypatch.syspath_prepend(tmp_path)
    lines = installed_packages()
    assert "# my-own==1.0 was installed from a folder or an address" in lines
    assert "plain-name==2!1.5+cu12" in lines
    assert not any("secret" in line or "nothing" in line for line in lines)


def test_of_two_versions_the_one_that_is_imported_counts(tmp_path, monkeypatch):
    (tmp_path / "keras-0.0.1.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert "keras==0.0.1" in installed_packages()


def test_the_machine_has_a_host_a_processor_and_cores():
    facts = machine_facts(gpu=False)
    assert facts["host"]
    assert facts["cpu"]
    assert 1 <= facts["available_cores"] <= facts["cores"]
    assert "nvidia_driver" not in facts


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024", "550.54.15"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.10  Release Build", "570.86.10"),
        ("535.104\n", "535.104"),
        ("no devices were found", None),
    ],
)
def test_the_driver_is_told_by_the_kernel_module(text, version, monkeypatch):
    monkeypatch.setattr(machine.Path, "read_text", lambda _path, **_options: text)
    assert machine_facts(gpu=True)["nvidia_driver"] == version


def test_without_a_driver_there_is_no_version(monkeypatch):
    def missing(_path, **_options):
        raise FileNotFoundError

    monkeypatch.setattr(machine.Path, "read_text", missing)
    monkeypatch.setenv("PATH", "")
    assert machine_facts(gpu=True)["nvidia_driver"] is None


def test_only_variables_that_steer_libraries_are_kept(monkeypatch):
    kept = {"OMP_NUM_THREADS": "2", "XLA_FLAGS": "--x", "CUDA_VISIBLE_DEVICES": "0", "TF_ENABLE_ONEDNN_OPTS": "0"}
    left = ["TF_VAR_db_password", "TF_TOKEN_app_terraform_io", "TF_CPP_MIN_LOG_LEVEL", "KERAS_API_KEY", "HOME_PAGE"]
    left += ["JAX_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY", "MY_OMP_NUM_THREADS", "TF_AUTH_HEADER"]
    for name, value in [*kept.items(), *((name, "hidden") for name in left)]:
        monkeypatch.setenv(name, value)
    found = steering_variables()
    assert {name: found.get(name) for name in kept} == kept
    assert not set(left) & set(found)


SMI = "GPU-0a1b, 81559\nGPU-2c3d, [N/A]\n"


@pytest.mark.parametrize(
    ("smi", "found"),
    [(SMI, {"GPU-0a1b": 81559, "GPU-2c3d": 0}), (None, {"GPU-4e5f": 0})],
)
def test_the_memory_of_gpus_is_asked_of_the_driver(monkeypatch, tmp_path, smi, found):
    folder = tmp_path / "gpus"
    (folder / "0000:01:00.0").mkdir(parents=True)
    (folder / "0000:01:00.0" / "information").write_text("Model: \t H\nGPU UUID: \t GPU-4e5f\n")

    def run(command, **_options):
        if smi is None:
            raise FileNotFoundError(command[0])
        return subprocess.CompletedProcess(command, 0, smi)

    monkeypatch.setattr(machine, "Path", lambda text: folder if text == "/proc/driver/nvidia/gpus" else Path(text))
    monkeypatch.setattr(machine.subprocess, "run", run)
    assert machine.nvidia_memory() == found
    monkeypatch.setattr(machine, "Path", lambda text: tmp_path / "none")
    assert machine.nvidia_memory() == {}
