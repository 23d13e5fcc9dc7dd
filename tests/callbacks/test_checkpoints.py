"""When a run counts as still falling, and which step is best."""

from pathlib import Path

import pytest

from vae_lab.callbacks import Checkpoints, still_falling


@pytest.mark.parametrize(
    ("history", "falling"),
    [
        ([(20, 30.0), (40, 25.0), (60, 22.0), (80, 21.0), (100, 20.0)], True),
        ([(20, 30.0), (40, 25.0), (60, 20.05), (80, 20.0), (100, 19.95)], False),
        ([(20, 30.0), (80, 20.0), (90, 19.85)], True),
        ([(20, 30.0), (80, 20.0), (90, 20.5), (100, 21.0)], False),
        ([(20, 3000.0), (80, 2000.0), (100, 1995.0)], False),
        ([(20, 3000.0), (80, 2000.0), (100, 1985.0)], True),
        ([(90, 20.0), (100, 20.0)], None),
        ([], None),
    ],
)
def test_still_falling(history, falling):
    assert still_falling(history, 100) is falling


def test_best_step_ignores_what_is_not_finite():
    checkpoints = Checkpoints(Path(), 0, {})
    assert checkpoints.best_step is None
    checkpoints.history = [(1, float("nan")), (2, 5.0), (3, 4.0), (4, float("inf")), (5, 4.5)]
    assert checkpoints.best_step == 3
