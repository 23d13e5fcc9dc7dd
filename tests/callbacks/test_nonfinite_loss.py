"""Non-finite loss: the exact step is found, whenever it is looked for."""

from types import SimpleNamespace

import pytest
import torch

from vae_lab.callbacks import nonfinite_loss
from vae_lab.callbacks.nonfinite_loss import Diverged, NonFiniteLoss

FINITE = torch.tensor(1.0)


def watched(losses, start=0, every=10, state=None):
    """The callback after steps with these losses, of which the first is step ``start`` + 1."""
    callback, trainer = NonFiniteLoss(), SimpleNamespace(global_step=start, log_every_n_steps=every)
    callback.setup(trainer, None, "fit")
    if state:
        callback.load_state_dict(state)
    for batch_idx, loss in enumerate(losses, start=start):
        trainer.global_step = batch_idx + 1
        callback.on_train_batch_end(trainer, None, {"loss": torch.as_tensor(loss)}, None, batch_idx)
    return callback


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_the_first_bad_step_between_two_logged_ones_is_named(bad):
    with pytest.raises(Diverged, match="no longer finite at step 13"):
        watched([1.0] * 12 + [bad, 1.0, torch.nan] + [1.0] * 5)


def test_finite_losses_are_let_go_when_they_have_been_looked_at():
    callback = watched([1.0] * 20)
    assert not callback.losses
    assert callback.first_bad == torch.inf


def test_a_checkpoint_between_two_logged_steps_holds_it():
    state = watched([1.0, 1.0, torch.nan, 1.0]).state_dict()
    assert state == {"first_bad": 3.0}
    with pytest.raises(Diverged, match=r"at step 3$"):
        watched([1.0] * 6, start=4, state=state)


def test_a_run_that_is_hardly_ever_logged_keeps_few_losses(monkeypatch):
    monkeypatch.setattr(nonfinite_loss, "MOST", 5)
    assert len(watched([1.0] * 7, every=10**6).losses) == 2
