import signal
import sys
import threading
import time

import pytest

from dlrun.config.dumping import dump_config
from dlrun.errors import JobError
from dlrun.jobs import local
from dlrun.jobs.job import Job
from dlrun.jobs.local import run_jobs
from dlrun.run_dir import RunDir


def test_jobs_run_once_fail_alone_and_are_skipped_when_done(digits, tmp_path):
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(dump_config(digits()))
    bad.write_text(dump_config(digits(loss="binary_crossentropy")))
    jobs = [Job(good, tmp_path / "runs" / "a"), Job(bad, tmp_path / "runs" / "b")]
    assert [job.status() for job in jobs] == [None, None]
    results = run_jobs(jobs, slots=2)
    assert [(result.status, result.exit_code) for result in results] == [("completed", 0), ("failed", 2)]
    assert "does not fit the data" in (tmp_path / "runs" / "b.out").read_text()
    assert [result.exit_code for result in run_jobs(jobs)] == [None, None]


@pytest.mark.parametrize("warm", [False, True])
def test_processes_that_run_at_once_share_the_cores(warm, tmp_path, monkeypatch):
    seen = []

    class Worker:
        def __init__(self, variables):
            seen.append(variables["DLRUN_CORES"])

        def start(self, _command, _output):
            pass

        def close(self):
            pass

    monkeypatch.setattr(local, "available_cores", lambda: 8)
    monkeypatch.setattr(local, "WarmWorker", Worker)
    monkeypatch.setattr(local.subprocess, "Popen", lambda _command, env, **_options: seen.append(env["DLRUN_CORES"]))
    with local.starter(warm, slots=3) as start:
        start(Job(tmp_path / "c.yaml", tmp_path / "run"))
    assert seen == ["2"]


@pytest.mark.skipif(sys.platform != "linux", reason="a warm worker is for Linux")
def test_a_worker_started_ahead_does_the_work_or_ends():
    with local.worker_ahead(wanted=True) as worker:
        with local.starter(True, worker=worker):
            assert worker._process.poll() is None
        assert worker._process.returncode == 0
    with local.worker_ahead(wanted=True) as worker, local.starter(False, worker=worker):
        assert worker._process.returncode == -signal.SIGKILL
    with pytest.raises(KeyboardInterrupt), local.worker_ahead(wanted=True) as worker:
        raise KeyboardInterrupt
    assert worker._process.returncode == -signal.SIGKILL
    with local.worker_ahead(wanted=False) as worker:
        assert worker is None


def test_an_interrupted_job_is_resumed(digits_run, tmp_path):
    run = RunDir.create(tmp_path, "x")
    run.start({})
    run.end("interrupted")
    assert Job(tmp_path / "c.yaml", run.path).command == ["train", "--resume", str(run.path)]


def test_two_jobs_cannot_share_a_directory(tmp_path):
    job = Job(tmp_path / "c.yaml", tmp_path / "run")
    with pytest.raises(JobError, match="share a run directory"):
        run_jobs([job, job])
    with pytest.raises(JobError, match="at least one slot"):
        run_jobs([job], slots=0)


def test_a_failed_job_is_tried_again_when_asked(tmp_path):
    run = RunDir.claim(tmp_path / "run")
    run.start({})
    run.end("failed")
    assert Job(tmp_path / "c.yaml", run.path).done
    assert not Job(tmp_path / "c.yaml", run.path, again=True).done


def test_a_run_that_another_process_works_on_is_waited_for(tmp_path):
    run = RunDir.claim(tmp_path / "run")
    run.start({})
    ending = threading.Timer(0.3, run.end, ["completed"])
    ending.start()
    (result,) = run_jobs([Job(tmp_path / "c.yaml", run.path)])
    ending.join()
    assert (result.status, result.exit_code) == ("completed", None)


@pytest.mark.slow
def test_what_ends_the_call_stops_the_processes_with_a_checkpoint(digits, tmp_path):
    config = tmp_path / "long.yaml"
    config.write_text(dump_config(digits(training={"epochs": 100_000, "batch_size": 128, "tensorboard": False})))
    (tmp_path / "wrong.yaml").write_text("data: nothing\n")

    def stop(_result):
        while not list((tmp_path / "long").glob("checkpoint/0*")):
            time.sleep(0.02)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job(config, tmp_path / "long"), Job(tmp_path / "wrong.yaml", tmp_path / "wrong")], 2, on_end=stop)
    assert RunDir(tmp_path / "long").status() == "interrupted"
