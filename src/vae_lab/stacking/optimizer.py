"""The stacked optimizer: torch's own, over the rows of the jobs that share its settings.

An optimizer that treats each number of a parameter on its own does to a stack what it does to each model alone. Jobs of
other settings, another learning rate say, are another slab of the same stack, with an optimizer of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from vae_lab.callbacks.checkpoints import follow_length, forget_form
from vae_lab.models import VAE
from vae_lab.stacking.model import StackedModel

Make = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
PROBE_STEPS = 3


def settings_of(model: VAE) -> tuple[Any, ...]:
    """What two models must share to have one optimizer: its class, its arguments, and how its learning rate falls."""
    make = model.optimizer
    if isinstance(make, partial):
        return make.func, make.args, make.keywords, model.lr_decay
    return make, model.lr_decay


def is_elementwise(make: Make) -> bool:
    """Whether an optimizer does to two stacked problems what it does to each alone, found out by trying.

    Example:
        >>> is_elementwise(torch.optim.Adam), is_elementwise(torch.optim.LBFGS)
        (True, False)
    """
    start = torch.linspace(-1, 1, 12).view(2, 2, 3)
    try:
        whole = after(make, start)
        alone = torch.stack([after(make, row) for row in start])
    except Exception:  # one that wants a closure, or matrices only
        return False
    return torch.allclose(whole, alone, rtol=1e-6, atol=0)


def after(make: Make, start: Tensor) -> Tensor:
    """A parameter after a few steps down a fixed slope."""
    parameter = nn.Parameter(start.clone())
    optimizer = make([parameter])
    for step in range(PROBE_STEPS):
        parameter.grad = start.square() + step
        optimizer.step()
    return parameter.detach()


class Slab:
    """Neighbouring jobs of a stack that share an optimizer, and the schedule of its learning rate.

    Args:
        stack: of which it is a part.
        rows: which.
        steps: the length of the runs.
        clip: the greatest norm of a job's gradient; None for any.
    """

    def __init__(self, stack: StackedModel, rows: slice, steps: int, clip: float | None) -> None:
        self.stack, self.rows, self.clip = stack, rows, clip
        self.models = stack.models[rows]
        self.parameters = {name: nn.Parameter(tensor.detach()[rows]) for name, tensor in stack.parameters.items()}
        self.optimizer, self.schedule = self.models[0].optimizer_of(self.parameters.values(), steps)
        self.with_rows = like_parameter(self.models[0].optimizer)

    def step(self) -> None:
        """Take one optimizer step with the gradients of the stack."""
        for name, parameter in self.parameters.items():
            gradient = self.stack.parameters[name].grad
            parameter.grad = None if gradient is None else gradient[self.rows]
        if self.clip is not None:
            self.clip_gradients(self.clip)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()

    def clip_gradients(self, most: float) -> None:
        """Clip the gradient of each job by its own norm."""
        for k, model in enumerate(self.models):
            for name, parameter in model.named_parameters():
                gradient = self.parameters[name].grad
                parameter.grad = None if gradient is None else gradient[k]
            clip_grad_norm_(model.parameters(), most)
            model.zero_grad()

    # as the checkpoint of one job has it

    def optimizer_state(self, k: int) -> dict[str, Any]:
        """The optimizer's state as a run alone would have it, of the slab's job ``k``."""
        state = self.optimizer.state_dict()
        return {**state, "state": {i: self.row_of_state(own, k) for i, own in state["state"].items()}}

    def row_of_state(self, state: Mapping[str, Any], k: int) -> dict[str, Any]:
        """The state of one parameter, of job ``k`` alone; nothing that a later step changes."""
        rows = {name: value[k] if name in self.with_rows else value for name, value in state.items()}
        return {name: value.clone() if torch.is_tensor(value) else value for name, value in rows.items()}

    def schedule_state(self) -> list[dict[str, Any]]:
        """The state of the schedule, if there is one."""
        return [] if self.schedule is None else [self.schedule.state_dict()]

    def load(self, contents: Sequence[Mapping[str, Any]]) -> None:
        """Go on from the checkpoints of all jobs of the slab, in order."""
        states = [content["optimizer_states"][0] for content in contents]
        merged = {i: self.joined([state["state"][i] for state in states]) for i in states[0]["state"]}
        self.optimizer.load_state_dict({**states[0], "state": merged})
        if self.schedule is not None:
            state = dict(contents[0]["lr_schedulers"][0])
            forget_form(state)
            self.schedule.load_state_dict(state)
            follow_length(self.schedule)

    def joined(self, states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The states of one parameter in all jobs as that of their stack."""
        return {
            name: torch.stack([state[name] for state in states]) if name in self.with_rows else value
            for name, value in states[0].items()
        }


def like_parameter(make: Make) -> set[str]:
    """The entries of an optimizer's state that have the shape of their parameter, found out by trying.

    Example:
        >>> sorted(like_parameter(torch.optim.Adam))
        ['exp_avg', 'exp_avg_sq']
    """
    parameter = nn.Parameter(torch.zeros(2, 3))
    optimizer = make([parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    shapes = {name: value.shape for name, value in optimizer.state[parameter].items() if torch.is_tensor(value)}
    return {name for name, shape in shapes.items() if shape == parameter.shape}


def slabs(stack: StackedModel, steps: int, clip: float | None) -> list[Slab]:
    """The slabs of a stack whose models of the same optimizer are neighbours."""
    settings = [settings_of(model) for model in stack.models]
    starts = [k for k in range(len(settings)) if k == 0 or settings[k] != settings[k - 1]]
    ends = [*starts[1:], len(settings)]
    return [Slab(stack, slice(*rows), steps, clip) for rows in zip(starts, ends, strict=True)]


def neighbours(models: Sequence[VAE]) -> list[int]:
    """An order of the models in which those of the same optimizer are neighbours."""
    settings = [settings_of(model) for model in models]
    return sorted(range(len(models)), key=lambda k: settings.index(settings[k]))
