"""The launcher ``slurm`` without a SLURM: its commands are played. tests/cluster has a real one."""

import os
import signal
import time
from dataclasses import replace

import pytest

from vae_lab.checks import ConfigError, Interrupted
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import Sweep
from vae_lab.slurm_job import TIME_LIMIT, SlurmJob
from vae_lab.sweep import slurm, slurm_queue, slurm_watch
from vae_lab.sweep.pool import Job
from vae_lab.sweep.record import begin
from vae_lab.sweep.slurm_queue import GONE, Queue, SlurmSilent, State
from vae_lab.sweep.slurm_watch import Submitted, Watch

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")
RUNNING, DONE, FAILED = State("RUNNING"), State("COMPLETED"), State("FAILED", "NonZeroExitCode")
OPTIONS = {"nodes": 1, "tasks_per_node": 1, "runs_per_job": 1, "max_num_timeout": 1, "submitit_folder": ""}


# What SLURM says.


class Answers(dict):
    """What commands answer, and which were asked."""

    def __init__(self):
        self.asked = []


@pytest.fixture
def answers(monkeypatch):
    """What each command of SLURM prints; one without an answer fails."""
    texts = Answers()

    def ask(*command):
        texts.asked.append(command)
        if command[0] not in texts:
            raise SlurmSilent(f"{command[0]}: no such command")
        return texts[command[0]]

    for module in (slurm_queue, slurm):
        monkeypatch.setattr(module, "ask", ask)
    return texts


def test_the_queue_is_asked_before_accounting(answers):
    answers["squeue"] = "7_0|RUNNING|None\n7_1|PENDING|Resources\n"
    answers["sacct"] = "7_2|CANCELLED by 0\n7_1|FAILED\n7_3|PENDING\n7_4|OUT_OF_MEMORY\n"
    assert Queue("x").states([f"7_{i}" for i in range(5)]) == {
        "7_0": RUNNING,
        "7_1": State("PENDING", "Resources"),
        "7_2": State("CANCELLED"),
        "7_3": GONE,
        "7_4": State("OUT_OF_MEMORY"),
    }


def test_a_job_that_nobody_knows_has_ended_where_there_is_no_accounting(answers):
    answers["squeue"] = ""
    assert Queue("x").states(["7_0"])["7_0"].ended


def test_a_controller_that_does_not_answer_is_no_end_of_a_job(answers):
    with pytest.raises(SlurmSilent):
        Queue("x").states(["7_0"])


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        (State("PENDING", "Resources"), ""),
        (State("PENDING", "QOSMaxJobsPerUserLimit"), ""),
        (State("RUNNING", "launch failed requeued held"), ""),
        (State("PENDING", "launch failed requeued held"), "launch failed requeued held"),
        (State("PENDING", "BadConstraints"), "BadConstraints"),
    ],
)
def test_what_may_wait_for_ever(state, trouble):
    assert state.trouble == trouble


# The jobs as they end.


class Play:
    """A queue whose states follow a script, and in which things happen between two looks."""

    def __init__(self, *script):
        self.script, self.cancelled = list(script), []

    def states(self, jobs):
        happens, known = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if happens:
            happens()
        if isinstance(known, Exception):
            raise known
        return {job: known[job] for job in jobs}

    def cancel(self, state=""):
        self.cancelled.append(state)


@pytest.fixture
def clock(monkeypatch):
    """Time passes only where somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(slurm_watch.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(slurm_watch.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


@pytest.fixture
def sweep(tmp_path, clock):
    begin(tmp_path, ["a", "b", "c"], ["seed"], [])
    for name in "abc":
        (tmp_path / name).mkdir()
    return tmp_path


def record(sweep, name, status="diverged", reason="at step 3", started="now"):
    Result(status=status, seed=0, reason=reason, started=started).write(sweep / name)


def follow(sweep, play, jobs=("a", "b"), stop=None):
    Watch(
        sweep, sweep / "log", [Submitted(f"7_{i}", runs) for i, runs in enumerate(jobs)], play, stop
    ).until_all_have_ended()


def test_a_job_that_dies_is_reported_with_its_last_words_and_the_others_go_on(sweep, capsys):
    (sweep / "log" / "7_0").mkdir(parents=True)
    (sweep / "log" / "7_0" / "7_0_0_log.err").write_text("one\ntwo\n\nsrun: error: task 0: Killed\n")
    play = Play(
        (lambda: record(sweep, "a", "running", None), {"7_0": RUNNING, "7_1": RUNNING}),
        (None, {"7_0": FAILED, "7_1": RUNNING}),
        (None, {"7_0": FAILED, "7_1": RUNNING}),
        (None, {"7_0": FAILED, "7_1": RUNNING}),
        (lambda: record(sweep, "b"), {"7_0": FAILED, "7_1": DONE}),
    )
    follow(sweep, play)
    first, second = capsys.readouterr().out.splitlines()[-2:]
    how = "its SLURM job 7_0 ended as FAILED (NonZeroExitCode)"
    assert {first, second} == {
        f"[1/3] a: failed: {how}; it last said: one | two | srun: error: task 0: Killed",
        "[2/3] b: diverged: at step 3; 0.0 s",
    }
    assert (Result.read(sweep / "a").status, Result.read(sweep / "a").reason) == ("failed", how)


def test_a_job_that_comes_back_is_no_failure(sweep, capsys):
    play = Play(
        (lambda: record(sweep, "a", "failed", "interrupted by SIGTERM at step 4"), {"7_0": RUNNING}),
        (None, {"7_0": State("NODE_FAIL")}),
        (None, {"7_0": State("PENDING", "BeginTime")}),
        (lambda: record(sweep, "a", "running", None, "later"), {"7_0": RUNNING}),
        (lambda: record(sweep, "a", started="later"), {"7_0": DONE}),
    )
    follow(sweep, play, ["a"])
    assert "failed" not in capsys.readouterr().out


def test_a_run_that_failed_is_reported_while_its_job_goes_on(sweep, capsys):
    said = []
    play = Play(
        (lambda: record(sweep, "a", "failed", "RuntimeError: broken"), {"7_0": RUNNING}),
        (lambda: said.append(capsys.readouterr().out), {"7_0": RUNNING}),
        (lambda: record(sweep, "b"), {"7_0": DONE}),
    )
    follow(sweep, play, [("a", "b")])
    assert "[1/3] a: failed: RuntimeError: broken; see " in said[0]


def test_a_record_of_an_earlier_launch_says_nothing_of_this_one(sweep, capsys):
    record(sweep, "a", "failed", "RuntimeError: broken", "long ago")
    play = Play((None, {"7_0": RUNNING}), (lambda: record(sweep, "a"), {"7_0": DONE}))
    follow(sweep, play, ["a"])
    assert "broken" not in capsys.readouterr().out


def test_a_slurm_that_does_not_answer_is_said_once_and_waited_for(sweep, capsys):
    silent = (None, SlurmSilent("Unable to contact slurm controller"))
    follow(sweep, Play(silent, silent, (lambda: record(sweep, "a"), {"7_0": DONE})), ["a"])
    said = "note: SLURM does not answer, the jobs are waited for: Unable to contact slurm controller"
    assert capsys.readouterr().out.count(said) == 1


def test_a_job_that_is_held_is_said_once(sweep, capsys):
    held = (None, {"7_0": State("PENDING", "launch failed requeued held")})
    follow(sweep, Play(held, held, (lambda: record(sweep, "a"), {"7_0": DONE})), ["a"])
    assert capsys.readouterr().out.count("note: job 7_0 waits, perhaps for ever: launch failed requeued held") == 1


def test_a_sweep_that_fails_fast_begins_nothing_more(sweep, capsys):
    play = Play(
        (lambda: record(sweep, "a", "failed", "RuntimeError: broken"), {"7_0": RUNNING, "7_1": State("PENDING")}),
        (None, {"7_0": DONE, "7_1": State("CANCELLED")}),
    )
    follow(sweep, play, [("a", "b"), ("c",)], sweep / "stop")
    assert play.cancelled == ["PENDING"]
    assert (sweep / "stop").exists()
    assert capsys.readouterr().out.count("failed") == 1


# What a job does.


@pytest.fixture
def performed(monkeypatch):
    """The runs that a job has performed."""
    names = []

    def perform(loader, number, overrides):
        names.append(overrides[0])
        return "is broken" if overrides[0] == "broken" else ""

    monkeypatch.setattr("vae_lab.slurm_job.perform", perform)
    return names


def job(sweep, *names):
    return SlurmJob(sweep, [Job(i, name, [name]) for i, name in enumerate(names)], sweep / "stop", ("my_nets",))


def test_a_job_skips_the_runs_that_have_ended(sweep, performed):
    record(sweep, "b")
    job(sweep, "a", "b", "c")()
    assert performed == ["a", "c"]


def test_a_job_begins_nothing_once_the_sweep_has_been_stopped(sweep, performed):
    (sweep / "stop").touch()
    job(sweep, "a")()
    assert performed == []


def test_a_job_ends_with_what_a_run_could_not_say_itself_after_all_have_run(sweep, performed):
    with pytest.raises(SystemExit, match="broken: is broken"):
        job(sweep, "broken", "c")()
    assert performed == ["broken", "c"]


def test_a_job_that_fails_fast_begins_none_after_a_run_has_failed(sweep, performed):
    for fail_fast, begun in ((True, ["broken"]), (False, ["broken", "c"])):
        performed.clear()
        with pytest.raises(SystemExit, match="broken: is broken"):
            replace(job(sweep, "broken", "c"), fail_fast=fail_fast)()
        assert performed == begun
        (sweep / "stop").unlink(missing_ok=True)


def test_what_is_allowed_reaches_a_job_and_its_threads_are_set(sweep, performed, monkeypatch):
    seen = {}
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("vae_lab.slurm_job.perform", lambda *_: seen.update(os.environ) or "")
    job(sweep, "a")()
    assert (seen["VAE_LAB_ALLOW"], seen["OMP_NUM_THREADS"]) == ("my_nets", "3")


@pytest.mark.parametrize(("number", "requeued"), [(TIME_LIMIT, True), (signal.SIGTERM, False)])
def test_only_the_time_limit_puts_a_job_back_into_the_queue_once_its_run_has_unwound(
    sweep, monkeypatch, number, requeued
):
    events = []

    def perform(*_):
        try:
            signal.raise_signal(number)
            time.sleep(1)
        finally:
            events.append("unwound")

    monkeypatch.setattr("vae_lab.slurm_job.perform", perform)
    before = signal.signal(TIME_LIMIT, lambda *_: events.append("requeued"))
    try:
        with pytest.raises(SystemExit) as stop:
            job(sweep, "a", "b")()
    finally:
        signal.signal(TIME_LIMIT, before)
    assert stop.value.code == 128 + number
    assert events == ["unwound", "requeued"][: 1 + requeued]


def test_a_job_travels_as_names_and_settings(sweep):
    import pickle

    import cloudpickle

    assert pickle.loads(cloudpickle.dumps(job(sweep, "a"))) == job(sweep, "a")


# Options, and what is refused.


def test_options_become_those_of_sbatch():
    given = {"partition": "gpu", "gres": "gpu:1", "cpus_per_task": 4, "runs_per_job": 2, "qos": None, "nodes": 1}
    assert slurm.parameters({**given, "additional_parameters": {"nice": 5}}, "x-1") == {
        "name": "x-1",
        "cpus_per_task": 4,
        "slurm_partition": "gpu",
        "slurm_gres": "gpu:1",
        "slurm_srun_args": ["--cpus-per-task=4"],
        "slurm_additional_parameters": {"requeue": True, "nice": 5},
    }


def test_more_jobs_than_an_array_has_are_refused_with_the_number_that_works(answers):
    answers["scontrol"] = "MaxArraySize            = 1001\n"
    runs = [Job(i, str(i), []) for i in range(10_000)]
    with pytest.raises(ConfigError, match=r"hydra\.launcher\.runs_per_job=9: .*at most 1001 jobs.*say 10 or more"):
        slurm.divided(runs, 9)
    assert [len(slurm.divided(runs, each)) for each in (10, 16)] == [1000, 625]


@pytest.fixture
def commands(monkeypatch, answers):
    """A machine on which SLURM's commands are found."""
    monkeypatch.setattr(slurm.shutil, "which", lambda name: f"/bin/{name}")
    answers["sinfo"] = "main\n"
    return answers


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("nodes", 2, "must be 1: a run starts the processes of its devices itself"),
        ("tasks_per_node", 2, "say trainer.devices=N and gpus_per_node=N"),
        ("runs_per_job", 0, "must be a whole number >= 1"),
        ("submitit_folder", "/tmp/x", "cannot be set"),
        ("partition", "lost", "must be one of main"),
    ],
)
def test_options_that_do_not_fit_are_refused(commands, option, value, said):
    with pytest.raises(ConfigError, match=rf"^hydra\.launcher\.{option}={value}: .*{said}"):
        slurm.check_options({"partition": None, **OPTIONS, option: value}, "auto")


def test_a_gpu_that_only_the_jobs_have_is_not_asked_for_here(cli, commands, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = cli("-m", "hydra/launcher=slurm", "trainer=gpu", "seed=0,1", *SHORT)
    said = "this machine has none to check it on; say auto: each job takes the GPUs that SLURM gives it"
    assert (done.code, done.err) == (1, f"error: trainer.accelerator=gpu: {said}")


def test_a_slurm_that_does_not_answer_is_one_line(cli, commands):
    del commands["sinfo"]
    done = cli("-m", "hydra/launcher=slurm", "seed=0,1", *SHORT)
    assert (done.code, done.err) == (1, "error: hydra/launcher=slurm: SLURM does not answer: sinfo: no such command")


def test_a_machine_without_slurm_is_one_line(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = cli("-m", "hydra/launcher=slurm", "seed=0,1", *SHORT)
    said = "sbatch is not found, so there is no SLURM on this machine; hydra/launcher=local needs none"
    assert (done.code, done.err) == (1, f"error: hydra/launcher=slurm: {said}")
    assert not list(tmp_path.iterdir())


def test_without_the_extra_one_line_says_what_to_install(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("vae_lab.config.extras.find_spec", lambda name: None)
    done = cli("-m", "hydra/launcher=slurm", "hydra.launcher.partition=gpu", "seed=0,1", *SHORT)
    assert (done.code, done.err) == (1, 'error: hydra/launcher=slurm: is not installed: pip install "vae_lab[slurm]"')
    assert not list(tmp_path.iterdir())


# All of it, but that the jobs run here.


@pytest.fixture
def at_once(monkeypatch, commands):
    """Jobs are run where they would be submitted."""

    def submit(launched, options, calls):
        for call in calls:
            call()
        return [f"7_{i}" for i in range(len(calls))]

    commands["squeue"] = "7_0|COMPLETED|None\n"
    monkeypatch.setattr(slurm, "submit", submit)


def test_a_sweep_and_what_is_left_of_it_when_it_is_taken_up(cli, tmp_path, at_once, commands):
    done = cli("-m", "hydra/launcher=slurm", "hydra.sweep.dir=s", "seed=0,1", *SHORT)
    assert done.code == 0, done.err
    assert "launcher slurm: array 7 of 2 jobs, 1 run each, at most 2 at a time; logs: " in done.out
    assert [run.status for run in Sweep.read(tmp_path / "s").runs] == ["finished"] * 2
    done = cli("-m", "resume=s", "seed=2", "hydra/launcher=slurm")
    assert (done.code, "2 have ended and are kept, 1 to go" in done.out) == (0, True), done.out + done.err
    commands["squeue"] = "9|PENDING|Priority\n"
    done = cli("-m", "resume=s", "seed=3", "hydra/launcher=slurm")
    assert (done.code, "its SLURM jobs 9 are still in the queue" in done.err) == (1, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_all_jobs_and_says_how_to_go_on(cli, at_once, commands, clock, monkeypatch, number):
    def interrupt(*_):
        raise Interrupted("by a signal", number)

    commands["squeue"], commands["scancel"] = "7_0|RUNNING|None\n", ""
    monkeypatch.setattr(slurm, "submit", interrupt)
    done = cli("-m", "hydra/launcher=slurm", "hydra.launcher.gres=gpu:1", "hydra.sweep.dir=s", "seed=0,1", *SHORT)
    assert done.code == 128 + number
    again = "to go on: python -m vae_lab hydra/launcher=slurm hydra.launcher.gres=gpu:1 -m resume=s"
    assert done.out.splitlines()[-1] == again
    assert [command[0] for command in commands.asked if command[0] == "scancel"] == ["scancel"]
    assert 1 < clock[0] < 5  # jobs that do not end are not waited for


def test_jobs_that_cannot_be_cancelled_are_said(answers, capsys):
    Queue("x-1").cancel()
    said = "note: the jobs could not be cancelled (scancel: no such command); do it by scancel --jobname=x-1\n"
    assert capsys.readouterr().out == said


def test_a_folder_for_the_jobs_that_leads_elsewhere_is_refused(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / ".submitit").symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="is a link"):
        slurm.Launch.new(tmp_path / "s", "vae_lab")
