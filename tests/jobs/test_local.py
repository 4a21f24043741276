import pytest

from dlrun.config.dumping import dump_config
from dlrun.errors import JobError
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
