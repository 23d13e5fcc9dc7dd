"""A stack that ends early: by a signal, by a job that diverges, or in its last step; and what goes on from there."""

import json

import pytest
import torch
from tests.conftest import same

from vae_lab.checks import Interrupted
from vae_lab.runs.result import Result
from vae_lab.training.run import execute

LENGTHS = ("trainer.max_steps=24", "trainer.val_check_interval=10", "trainer.log_every_n_steps=1")
SHARED = (*LENGTHS, "control=pi", "optimizer.lr_decay=cosine")
JOBS = (("seed=0",), ("seed=1", "optimizer.lr=0.003"), ("seed=2",))


def stopping(step):
    """What is called after each step, and stops the stack after one."""

    def told(done, steps):
        if done == step:
            raise Interrupted("by SIGTERM", 15)

    return told


def stop(stack, made, step, name="stopped"):
    with pytest.raises(Interrupted):
        stack(made, name, progress=stopping(step))


@pytest.mark.parametrize("step", [13, *(pytest.param(step, marks=pytest.mark.slow) for step in (4, 20))])
def test_a_stack_that_was_stopped_is_the_stack_that_was_not(configs, stack, checkpoint, step):
    made = configs(SHARED, *JOBS)
    whole = stack(made)
    stop(stack, made, step)
    for one, other in zip(whole, stack(made, "stopped"), strict=True):
        assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
        for name in ("last", "best", "previous"):
            if (one / "checkpoints" / f"{name}.ckpt").exists():
                assert same(checkpoint(one, name), checkpoint(other, name))


@pytest.mark.slow
def test_checkpoints_between_validations_are_as_exact(configs, stack, checkpoint, monkeypatch):
    made = configs(SHARED, *JOBS)
    whole = stack(made)
    monkeypatch.setattr("vae_lab.stacking.train.MOST_SECONDS", 0.0)
    stop(stack, made, 17)
    assert checkpoint(whole[0].parent.parent / "stopped" / "0")["global_step"] == 16
    for one, other in zip(whole, stack(made, "stopped"), strict=True):
        assert same(checkpoint(one), checkpoint(other))


def test_a_stopped_stack_says_so_in_each_run(configs, stack, tmp_path):
    stop(stack, configs(SHARED, *JOBS), 13)
    for i in range(len(JOBS)):
        result = Result.read(tmp_path / "stopped" / str(i))
        assert (result.status, result.reason) == ("failed", "interrupted by SIGTERM at step 13")


def test_a_run_of_a_stopped_stack_goes_on_alone(configs, stack, checkpoint, tmp_path):
    made = configs(("trainer.precision=64-true", *SHARED), *JOBS)
    whole = stack(made)
    stop(stack, made, 13)
    for i, folder in enumerate(whole):
        execute(made[i], tmp_path / "stopped" / str(i), {})
        for name, tensor in checkpoint(tmp_path / "stopped" / str(i))["state_dict"].items():
            torch.testing.assert_close(tensor, checkpoint(folder)["state_dict"][name], rtol=1e-8, atol=1e-12)


@pytest.mark.slow
def test_a_longer_length_lets_a_stack_go_on(configs, stack, checkpoint):
    shorter = configs((*SHARED, "trainer.max_steps=12"), *JOBS)
    stack(shorter)
    longer = stack(configs(SHARED, *JOBS))
    assert [checkpoint(folder)["global_step"] for folder in longer] == [24, 24, 24]


def test_a_job_that_diverges_is_recorded_and_the_others_are_as_without_it(configs, stack, checkpoint, tmp_path):
    shared = (*LENGTHS, "optimizer=sgd", "likelihood=gaussian", "trainer.log_every_n_steps=5")
    good, bad = ("seed=0",), ("seed=1", "optimizer.lr=1000000")
    made = configs(shared, good, bad, ("seed=2",))
    without = stack([made[0], made[2]], "without")
    folders = stack(made)
    result = Result.read(folders[1])
    assert result.status == "diverged"
    execute(made[1], tmp_path / "alone", {})
    alone = Result.read(tmp_path / "alone")
    assert (result.reason, result.diverged_step) == (alone.reason, alone.diverged_step)
    assert result.objective == alone.objective
    assert (folders[1] / "metrics.csv").exists() == (tmp_path / "alone" / "metrics.csv").exists()
    for one, other in zip(without, (folders[0], folders[2]), strict=True):
        for name, tensor in checkpoint(one)["state_dict"].items():
            torch.testing.assert_close(tensor, checkpoint(other)["state_dict"][name])


@pytest.mark.slow
def test_seconds_of_a_run_are_its_share(configs, stack, tmp_path):
    made = configs(SHARED, *JOBS)
    folders = stack(made)
    written = [
        torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["vae_lab"]["seconds"] for folder in folders
    ]
    assert max(written) < 1.5 * min(written)
    execute(made[0], folders[0], {})
    assert json.loads((folders[0] / "result.json").read_text())["seconds"] > written[0]
