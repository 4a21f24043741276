"""A batch that is killed at random does all of its runs, each once, with the results of one that is left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dlrun.config.dumping import dump_config
from dlrun.config.loading import load_config
from dlrun.jobs.endings import OPEN
from dlrun.jobs.queue import Queue
from dlrun.processes import alive
from dlrun.run_dir import list_runs


class Terminal:
    """A `dlrun batch` in a session of its own, as a terminal has it."""

    def __init__(self, configs: list[Path], outputs: Path) -> None:
        self.command = [sys.executable, "-m", "dlrun", "batch", *map(str, configs), "--seeds", "2", "--jobs", "2"]
        self.command += ["--quiet", "--outputs", str(outputs)]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, start_new_session=True)

    def kill(self, *, all_of_it: bool) -> None:
        """Kill the command, or all its processes."""
        assert self.process
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL) if all_of_it else self.process.kill()
        self.process.wait()


def histories(outputs):
    """The history of each run by the name and seed of its config; every run is there once."""
    found = {}
    for run in list_runs(outputs):
        config = load_config(run.config_file)
        assert run.status() == "completed"
        assert (config.name, config.seed) not in found
        found[config.name, config.seed] = run.history_file.read_bytes()
    return found


@pytest.mark.long
def test_forty_runs_from_two_terminals_each_end_once_and_equal_those_of_a_quiet_batch(digits, tmp_path):
    configs = [tmp_path / f"c{number:02}.yaml" for number in range(20)]
    for number, path in enumerate(configs):
        training = {"epochs": 12, "batch_size": 64, "tensorboard": False}
        path.write_text(
            dump_config(digits(name=path.stem, model={"name": "mlp", "hidden": [4 + number]}, training=training))
        )
    quiet = Terminal(configs, tmp_path / "quiet")
    quiet.start()
    assert quiet.process.wait() == 0
    killed = disturb([Terminal(configs[:10], tmp_path / "killed"), Terminal(configs[10:], tmp_path / "killed")])
    print(killed)
    assert {entry.state for entry in Queue(tmp_path / "killed").entries()} == {"done"}
    expected = histories(tmp_path / "quiet")
    assert len(expected) == 40
    assert histories(tmp_path / "killed") == expected


def disturb(terminals):
    """Start the terminals and kill what belongs to them until the queue is done; how often what was killed."""
    chance = random.Random(1)
    for terminal in terminals:
        terminal.start()
    queue = Queue(Path(terminals[0].command[-1]))
    killed = {"terminal": 0, "run": 0, "everything": 0}
    while not all(terminal.process.poll() == 0 for terminal in terminals):
        time.sleep(chance.uniform(2, 8))
        done = sum(entry.state not in OPEN for entry in queue.entries())
        if done >= 12 * (killed["everything"] + 1) and killed["everything"] < 2:
            for terminal in terminals:
                terminal.kill(all_of_it=True)
            killed["everything"] += 1
        elif killed["terminal"] < 4 and chance.random() < 0.3:
            chance.choice(terminals).kill(all_of_it=False)
            killed["terminal"] += 1
        elif killed["run"] < 6 and chance.random() < 0.5:
            running = [entry for entry in queue.entries() if entry.process and alive(entry.process)]
            with suppress(ProcessLookupError, IndexError):
                os.kill(chance.choice([one for one in running if one.crashes < 2]).process["pid"], signal.SIGKILL)
                killed["run"] += 1
        for terminal in terminals:
            assert terminal.process.poll() != 1, "a run has failed"
            if terminal.process.poll() not in (None, 0):
                terminal.start()
    assert killed["everything"] == 2
    return killed


@pytest.mark.slow
def test_ctrl_c_stops_the_runs_with_a_checkpoint_and_they_wait_in_the_queue(digits, tmp_path):
    training = {"epochs": 100_000, "batch_size": 128, "tensorboard": False, "checkpoint_every_seconds": 0}
    (tmp_path / "long.yaml").write_text(dump_config(digits(training=training)))
    terminal = Terminal([tmp_path / "long.yaml"], tmp_path / "outputs")
    terminal.start()
    while len(list((tmp_path / "outputs").glob("*/*/checkpoint/0*"))) < 2:
        assert terminal.process.poll() is None
        time.sleep(0.2)
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.process.wait() == 75
    assert [run.status() for run in list_runs(tmp_path / "outputs")] == ["interrupted"] * 2
    assert [(entry.state, entry.crashes) for entry in Queue(tmp_path / "outputs").entries()] == [("waiting", 0)] * 2
