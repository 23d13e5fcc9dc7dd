"""A job's checkpoint, as its run alone would have written it."""

from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import Trainer

from vae_lab.stacking.job import Job
from vae_lab.stacking.optimizer import Slab

FIT = "fit_loop"
LOOPS = (FIT, "validate_loop", "test_loop", "predict_loop")


def content_of(job: Job, slab: Slab, k: int, step: int, first_bad: float, loops: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint of a job holds after a step.

    Args:
        job: whose it is.
        slab: that trains it.
        k: its row in the slab.
        step: how many steps are done.
        first_bad: the first step with a non-finite loss, infinite where there was none.
        loops: of the Trainer.
    """
    states = {"NonFiniteLoss": {"first_bad": first_bad}}
    states |= {keeper.state_key: state for keeper in job.keepers if (state := keeper.state_dict())}
    return {
        "epoch": 0,
        "global_step": step,
        "pytorch-lightning_version": pl.__version__,
        "state_dict": {name: tensor.clone() for name, tensor in job.model.state_dict().items()},
        "loops": loops,
        "callbacks": states,
        "optimizer_states": [slab.optimizer_state(k)],
        "lr_schedulers": slab.schedule_state(),
        "vae_lab": job.checkpoints.about(),
    }


def loops_of(
    trainer: Trainer, step: int, steps: int, validations: int, batches: int, scheduled: bool
) -> dict[str, Any]:
    """What the loops of a trainer record after ``step`` of ``steps`` and so many ``validations`` of ``batches`` each."""
    loops: dict[str, Any] = {name: getattr(trainer, name).state_dict() for name in LOOPS}
    fit = loops[FIT]
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] = step - 1
    done = {"ready": step, "completed": step, "started": step, "processed": step}
    count(fit["epoch_loop.batch_progress"], done, done)
    fit["epoch_loop.batch_progress"]["is_last_batch"] = step == steps
    if scheduled:
        fit["epoch_loop.scheduler_progress"] = both({"ready": step, "completed": step})
    progress = fit["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
    progress["step"] = both({"ready": step, "completed": step})
    progress["zero_grad"] = both({"ready": step, "completed": step, "started": step})
    seen = validations * batches
    if validations:
        every = dict.fromkeys(("ready", "completed", "started", "processed"))
        count(fit["epoch_loop.val_loop.batch_progress"], dict.fromkeys(every, seen), dict.fromkeys(every, batches))
        fit["epoch_loop.val_loop.batch_progress"]["is_last_batch"] = True
    fit["epoch_progress"] = both({"ready": 1, "completed": 0, "started": 1, "processed": 0})
    return loops


def both(counts: dict[str, int]) -> dict[str, Any]:
    """The same counts in total and in the present epoch, of which there is one."""
    return {"total": dict(counts), "current": dict(counts)}


def count(progress: dict[str, Any], total: dict[str, int], current: dict[str, int]) -> None:
    """Fill a record of batches."""
    progress.update(total=dict(total), current=dict(current))
