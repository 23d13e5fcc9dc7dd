"""Which runs are trained together: those of one form, on the same data, with the same trainer, from the same step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch

from vae_lab.checks import one_line
from vae_lab.runs.state import ENDED
from vae_lab.stacking.form import Form, form_of
from vae_lab.stacking.job import Run
from vae_lab.stacking.memory import most_models
from vae_lab.stacking.obstacles import obstacles
from vae_lab.training.assembly import assemble
from vae_lab.training.resume import find_start
from vae_lab.training.trainer import is_on_cpu, lengths

ALONE = "no other run has its shapes"
SHARED = ("data", "trainer", "epochs", "threads")  # of the config: what the runs of a stack have in common


@dataclass
class Plan:
    """Stacks of runs, and the reasons why others are trained one by one; runs by their numbers."""

    stacks: list[list[int]] = field(default_factory=list)
    reasons: dict[str, list[int]] = field(default_factory=dict)

    def leave(self, reason: str, *numbers: int) -> None:
        """Leave runs to be trained one by one."""
        self.reasons.setdefault(reason, []).extend(numbers)

    def lines(self) -> list[str]:
        """The reasons, a line each."""
        return [f"{count(len(numbers))} trained alone: {reason}" for reason, numbers in self.reasons.items()]


@dataclass
class Group:
    """Runs that can be stacked."""

    form: Form
    shared: Mapping[str, Any]
    step: int
    most: int  # that fit into memory together
    numbers: list[int]


def count(runs: int) -> str:
    """So many runs in words.

    Example:
        >>> count(1), count(3)
        ('1 run is', '3 runs are')
    """
    return f"{runs} run{'s are' if runs > 1 else ' is'}"


def plan(runs: Sequence[Run], most: int | None = None, at_once: int = 1, sharing: int = 1) -> Plan:
    """Find the stacks.

    Args:
        runs: that are to be trained; what has nothing left to train, and what cannot begin, is left out.
        most: how many runs a stack may have; None: as many as fit into half of the free memory.
        at_once: how many stacks are trained side by side: so many are made, where there are runs enough.
        sharing: how many of them share that memory.
    """
    made, groups = Plan(), list[Group]()
    for number, run in enumerate(runs):
        try:
            place(made, groups, number, run)
        except Exception as error:  # its own process will say so
            made.leave(one_line(error), number)
    for group in groups:
        if len(group.numbers) == 1:
            made.leave(ALONE, *group.numbers)
        else:
            size = most or max(group.most // sharing, 1)
            made.stacks += parts(group.numbers, size, at_least=-(-at_once // len(groups)))
    return made


def place(made: Plan, groups: list[Group], number: int, run: Run) -> None:
    """Put a run into the group that it fits, or among those that are trained alone.

    Raises:
        Exception: whatever keeps it from being built.
    """
    start = find_start(run.directory, run.config)
    if start.result and start.result.status in ENDED:
        return
    parts = assemble(run.config)
    steps = (run.config["trainer"] | lengths(run.config, parts.data))["max_steps"]
    if start.step >= steps:
        return
    if reason := next(obstacles(run.config, parts), None):
        made.leave(reason, number)
        return
    form, shared = form_of(parts.model), {name: run.config.get(name) for name in SHARED}
    for group in groups:
        if (group.form, group.shared, group.step) == (form, shared, start.step):
            group.numbers.append(number)
            return
    device = torch.device("cpu" if is_on_cpu(run.config["trainer"]) else "cuda")
    groups.append(Group(form, shared, start.step, most_models(parts.model, parts.data, device), [number]))


def parts(numbers: Sequence[int], most: int, at_least: int = 1) -> list[list[int]]:
    """Cut into the fewest parts of at most ``most``, as evenly as can be; none has one member where that can be.

    There are ``at_least`` so many parts, where each has two members.

    Example:
        >>> parts(range(7), 3)
        [[0, 1, 2], [3, 4], [5, 6]]
        >>> parts(range(7), 100, at_least=2)
        [[0, 1, 2, 3], [4, 5, 6]]
    """
    pieces = max(-(-len(numbers) // most), min(at_least, len(numbers) // 2))
    size, longer = divmod(len(numbers), pieces)
    starts = [i * size + min(i, longer) for i in range(pieces + 1)]
    return [list(numbers[a:b]) for a, b in pairwise(starts)]
