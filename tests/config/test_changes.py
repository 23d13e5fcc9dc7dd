"""Two configs are of the same run where nothing but a length differs, which may grow."""

import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.changes import check_same_run, is_longer

RUN = {"seed": 0, "epochs": None, "trainer": {"max_steps": 10}, "optimizer": {"lr_milestones": (0.5,)}}


def test_a_length_may_be_raised():
    longer = RUN | {"trainer": {"max_steps": 20}}
    check_same_run(RUN, longer)
    assert is_longer(RUN, longer)
    check_same_run(RUN | {"epochs": 2}, RUN | {"epochs": 3})


def test_lists_and_tuples_are_alike():
    check_same_run(RUN, RUN | {"optimizer": {"lr_milestones": [0.5]}})
    assert not is_longer(RUN, RUN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"trainer": {"max_steps": 9}},
            "trainer.max_steps=9: was 10 when the run began; it can be raised, not lowered",
        ),
        ({"trainer": {"max_steps": True}}, "trainer.max_steps=True: was 10"),
        ({"epochs": 3}, "epochs=3: was None when the run began; a run that goes on keeps its settings"),
        ({"seed": 1}, "seed=1: was 0 when the run began; a run that goes on keeps its settings"),
        ({"threads": 1}, "threads=1: was None when"),
        ({"optimizer": {}}, "optimizer.lr_milestones=None: was [0.5] when"),
    ],
)
def test_anything_else_is_refused_by_name(change, words):
    with pytest.raises(ConfigError) as refused:
        check_same_run(RUN, RUN | change)
    assert str(refused.value).startswith(words)
