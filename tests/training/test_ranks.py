"""One model on several devices: equal to one process, and ended with one line whatever breaks."""

import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from vae_lab.callbacks import checkpoints
from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config as compose
from vae_lab.data import ImageData
from vae_lab.networks import MLPDecoder
from vae_lab.runs.result import Result
from vae_lab.training import ranks, trainer
from vae_lab.training.assembly import assemble
from vae_lab.training.ranks import RankLost, company
from vae_lab.training.run import check, execute
from vae_lab.training.strategy import has_idle_parameters
from vae_lab.training.trainer import set_threads

EQUALITY = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "ddp_equality.py"))
VARIANTS, FAST = EQUALITY["VARIANTS"], ("free bits dimension", "info_vae median")
PARAMETERS, FIGURES = 1e-5, 1e-4  # how far two processes may be from one: in float64; in float32
ZERO_GRADIENT = {"bn_vae"}  # see the benchmark: its figures in float32 need more room
ON_CPU = ("trainer=ddp", "trainer.accelerator=cpu")
WITHIN = 300  # seconds; a machine may be busy


# equality


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS]
)
def test_two_processes_have_the_parameters_of_one(name):
    assert EQUALITY["parameters_apart"](VARIANTS[name]) < PARAMETERS


@pytest.mark.parametrize(
    "name", [name if name in FAST[:1] else pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS]
)
def test_two_processes_have_the_figures_of_one(name):
    apart, where = EQUALITY["figures_apart"](VARIANTS[name])
    assert apart < FIGURES * (100 if name in ZERO_GRADIENT else 1), where


class Stream(ImageData):
    """Ten images in each split but 23 in training."""

    def load(self):
        from vae_lab.data.images import Split

        images = torch.rand(23, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        return {"train": Split(images), "val": Split(images[:10]), "test": Split(images[10:20])}


@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_the_parts_of_a_training_batch_make_the_batch(binarize):
    data = Stream(batch_size=6, binarize=binarize)
    whole = list(data.train_stream(8))
    parts = [list(data.train_stream(8, rank=rank, ranks=3)) for rank in range(3)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert torch.cat([share.x for share in shares]).equal(batch.x)
        assert torch.cat([share.indices for share in shares]).equal(batch.indices)


def test_no_image_of_evaluation_is_left_out_or_repeated():
    data = Stream(batch_size=6, eval_batch_size=4)
    parts = [list(data.eval_stream("test", rank, 3)) for rank in range(3)]
    assert sorted(i for part in parts for batch in part for i in batch.indices.tolist()) == list(range(10))
    assert len({len(part) for part in parts}) == 1  # as many batches in each: none waits for another
    assert all(len(batch.x) for part in parts for batch in part)


@pytest.mark.parametrize(("threads", "devices", "each"), [(4, 1, 4), (4, 2, 2), (1, 2, 1)])
def test_processes_share_the_threads(compose_config, monkeypatch, threads, devices, each):
    config, given = compose_config(f"threads={threads}", f"trainer.devices={devices}"), []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(trainer, "threadpool_limits", given.append)
    set_threads(config, Stream(batch_size=6))
    assert given == [each, each]


def test_threads_are_those_of_numpy_and_scipy_as_well(compose_config):
    before = torch.get_num_threads()
    with threadpool_limits(2):  # its end restores what was before
        set_threads(compose_config("threads=1"), Stream(batch_size=6))
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    torch.set_num_threads(before)


# what is refused


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.batch_size=65"], r"^data\.batch_size=65: must be a multiple of trainer\.devices=2, which share"),
        (["trainer.devices=0"], r"^trainer\.devices=0: must be a whole number >= 1"),
        (["trainer.devices=auto"], r"^trainer\.devices=auto: must be a whole number >= 1"),
        (["data.eval_batch_size=1"], r"^data\.eval_batch_size=1: leaves batches of 1 images for trainer\.devices=2"),
        (["trainer.sync_batchnorm=false"], r"^trainer\.sync_batchnorm=False: must be true"),
        (["+trainer.strategy=ddp_spawn"], r"^trainer\.strategy=ddp_spawn: is not supported"),
    ],
)
def test_what_several_devices_cannot_do_is_refused_before_training(compose_config, overrides, words):
    with pytest.raises(ConfigError, match=words):
        check(compose_config(*ON_CPU, *overrides))


def test_more_gpus_than_there_are_are_refused(compose_config, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    check(compose_config("trainer=ddp"))  # what was found once without them is not the answer for ever
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    words = (
        r"^trainer\.devices=2: this process sees 1; under hydra/launcher=local set hydra\.launcher\.devices_per_job=2$"
    )
    with pytest.raises(ConfigError, match=words):
        check(compose_config("trainer=ddp"))


def test_checking_starts_no_process(compose_config, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    check(compose_config(*ON_CPU))


class IdleDecoder(MLPDecoder):
    """A decoder with a parameter that it does not use."""

    def __init__(self, **options):
        super().__init__(**options)
        self.idle = nn.Parameter(torch.zeros(3))


def test_a_parameter_without_a_gradient_is_noticed(compose_config):
    parts = assemble(compose_config())
    x = parts.data.training_sample(4)
    assert not has_idle_parameters(parts.model, x)
    parts.model.idle = nn.Parameter(torch.zeros(3))
    before = {name: value.clone() for name, value in parts.model.state_dict().items()}
    assert has_idle_parameters(parts.model, x)
    assert parts.model.training
    torch.testing.assert_close(parts.model.state_dict(), before, rtol=0, atol=0)


# what breaks


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no such thing')", "rank 1 ended with exit code 1: no such thing; see rank-1.log"),
        ("import os; os.kill(os.getpid(), 9)", "rank 1 was killed by SIGKILL; see rank-1.log"),
    ],
)
def test_a_rank_that_does_not_start_is_one_line(tmp_path, compose_config, monkeypatch, program, words):
    monkeypatch.setattr(ranks, "COMMAND", (sys.executable, "-c", program))
    with pytest.raises(RankLost) as caught, company(compose_config(), tmp_path, 2):
        pass
    assert str(caught.value) == words


def test_a_failed_run_leaves_no_rank(tmp_path, compose_config, monkeypatch):
    idle = "import sys; print('ready', flush=True); sys.stdin.read()"
    monkeypatch.setattr(ranks, "COMMAND", (sys.executable, "-c", idle))
    monkeypatch.setattr(ranks, "group", lambda *_: __import__("contextlib").nullcontext())
    started = []
    monkeypatch.setattr(ranks.Rank, "end", lambda self, end=ranks.Rank.end: (started.append(self), end(self)))
    with pytest.raises(OSError, match="disk"), company(compose_config(), tmp_path, 3):
        raise OSError("disk")
    assert [rank.process.poll() is not None for rank in started] == [True, True]


class Dead:
    """A rank that has died."""

    def is_lost(self):
        return True

    def last_words(self):
        return "rank 1 was killed by SIGKILL; see rank-1.log"


@pytest.mark.parametrize(("over", "codes"), [(False, [1]), (True, [])])
def test_on_gpus_a_lost_rank_ends_a_run_that_waits_for_it(monkeypatch, capsys, over, codes):
    done, ended = threading.Event(), []
    monkeypatch.setattr(ranks, "POLL", 0.01)
    monkeypatch.setattr(ranks, "GRACE", 0.01)
    monkeypatch.setattr(ranks.os, "_exit", lambda code: (ended.append(code), done.set()))
    if over:
        done.set()
    ranks.end_when_lost([Dead()], done)
    assert ended == codes
    assert capsys.readouterr().err == "error: rank 1 was killed by SIGKILL; see rank-1.log\n" * len(codes)


def running(directory):
    """The command of a long run on two devices, once it trains, and the process of its other rank."""
    arguments = ["trainer.max_steps=100000", "trainer.log_every_n_steps=1", f"hydra.run.dir={directory}", *ON_CPU]
    command = [sys.executable, "-m", "vae_lab", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + WITHIN
    while not (directory / "metrics.csv").exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, [int(child) for child in children]


def gone(pid):
    """Whether a process ends soon."""
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        with suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.1)
                continue
        return True
    return False


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize(
    ("whom", "number", "code", "reason"),
    [
        ("rank", signal.SIGKILL, 1, "RankLost: rank 1 was killed by SIGKILL; see rank-1.log"),
        ("run", signal.SIGTERM, 143, "interrupted by SIGTERM at step "),
        pytest.param("run", signal.SIGINT, 130, "interrupted by Ctrl-C at step ", marks=pytest.mark.slow),
        pytest.param("run", signal.SIGKILL, -9, None, marks=pytest.mark.slow),
    ],
)
def test_whatever_ends_it_nothing_is_left_over(tmp_path, whom, number, code, reason):
    process, others = running(tmp_path / "run")
    os.kill(process.pid if whom == "run" else others[0], number)
    said = process.communicate(timeout=WITHIN)[0]
    assert process.returncode == code
    assert all(map(gone, others))
    result = Result.read(tmp_path / "run")
    assert (result.reason or "").startswith(reason or "")
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_both_with_the_step(tmp_path, compose_config):
    result = execute(compose_config(*ON_CPU, "optimizer=sgd", "optimizer.lr=1e30"), tmp_path, {})
    assert result.status == "diverged"
    alone = execute(compose_config("optimizer=sgd", "optimizer.lr=1e30"), tmp_path / "alone", {})
    assert result.diverged_step == alone.diverged_step


@pytest.mark.slow
def test_an_idle_parameter_trains_along(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    config = compose([*ON_CPU, "trainer.max_steps=4", "trainer.val_check_interval=2", "metrics.test.nll.k=0"])
    config["decoder"]["_target_"] = "test_ranks.IdleDecoder"
    from vae_lab.config.build import allowing

    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with allowing(["test_ranks"]):
        assert execute(config, tmp_path, {}).status == "finished"


@pytest.mark.slow
def test_only_the_first_rank_writes(tmp_path, compose_config):
    execute(compose_config(*ON_CPU), tmp_path, {})
    written = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert written == {"checkpoints", "metrics.csv", "result.json"}
    execute(compose_config("trainer.accelerator=cpu"), tmp_path / "alone", {})
    rows = [(tmp_path / run / "metrics.csv").read_text().splitlines() for run in (".", "alone")]
    steps, steps_alone = ([row.split(",")[0] for row in run] for run in rows)
    assert steps == steps_alone
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_it_goes_on_where_it_was_stopped_bit_for_bit(tmp_path, compose_config, monkeypatch):
    monkeypatch.setattr(checkpoints, "MOST_SECONDS", 0.0)  # checkpoints between validations, as the first rank decides
    config = compose_config(*ON_CPU, "trainer.max_steps=40", "trainer.val_check_interval=10", "control=pi")
    for directory in ("halted", "whole"):
        stop = {**config, "trainer": config["trainer"] | {"max_steps": 20}}
        if directory == "halted":
            execute(stop, tmp_path / directory, {})
        execute(config, tmp_path / directory, {})
    one, two = (
        torch.load(tmp_path / directory / "checkpoints/last.ckpt", weights_only=True)
        for directory in ("halted", "whole")
    )
    torch.testing.assert_close(one["state_dict"], two["state_dict"], rtol=0, atol=0)
    assert (tmp_path / "halted/metrics.csv").read_text() == (tmp_path / "whole/metrics.csv").read_text()
