"""A job's checkpoint, as its run alone would have written it."""

from importlib.metadata import version
from typing import Any

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
    weights = job.model.state_dict()
    for name, tensor in weights.items():
        weights[name] = tensor.clone()  # a row would be written with its whole stack
    return {
        "epoch": 0,
        "global_step": step,
        "pytorch-lightning_version": version("lightning"),
        "state_dict": weights,
        "loops": loops,
        "callbacks": states,
        "optimizer_states": [slab.optimizer_state(k)],
        "lr_schedulers": slab.schedule_state(),
        "vae_lab": job.checkpoints.about(),
    }


def loops_of(
    trainer: Trainer, step: int, steps: int, validations: int, batches: int, scheduled: bool
) -> dict[str, Any]:
    """What a trainer's loops record after ``step`` of ``steps`` and so many ``validations`` of ``batches`` each."""
    loops: dict[str, Any] = {name: getattr(trainer, name).state_dict() for name in LOOPS}
    fit = loops[FIT]
    fit["epoch_loop.state_dict"]["_batches_that_stepped"] = step - 1
    done = {"ready": step, "completed": step, "started": step, "processed": step}
    fit["epoch_loop.batch_progress"].update(both(done), is_last_batch=step == steps)
    if scheduled:
        fit["epoch_loop.scheduler_progress"] = both({"ready": step, "completed": step})
    progress = fit["epoch_loop.automatic_optimization.optim_progress"]["optimizer"]
    progress["step"] = both({"ready": step, "completed": step})
    progress["zero_grad"] = both({"ready": step, "completed": step, "started": step})
    if validations:
        seen, last = (dict.fromkeys(done, number) for number in (validations * batches, batches))
        fit["epoch_loop.val_loop.batch_progress"].update(total=seen, current=last, is_last_batch=True)
    fit["epoch_progress"] = both({"ready": 1, "completed": 0, "started": 1, "processed": 0})
    return loops


def both(counts: dict[str, int]) -> dict[str, Any]:
    """The same counts in total and in the present epoch, of which there is one."""
    return {"total": dict(counts), "current": dict(counts)}
