"""Names of runs and values of overrides."""

import pytest

from vae_lab.config.groups import groups
from vae_lab.config.names import experiment_name, override_values, run_name


def test_run_name_is_readable_and_leaves_out_experiment_and_hydra():
    overrides = [
        "+experiment=smoke",
        "model.beta=4",
        "hydra.sweep.dir=x",
        "hydra/launcher=basic",
        "free_bits.epsilon=0",
    ]
    assert run_name(overrides) == "model.beta=4,free_bits.epsilon=0"
    assert experiment_name(overrides) == "smoke"
    assert (run_name([]), experiment_name([])) == ("defaults", "sweep")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("data.path=/a/b.npz", "data.path=_a_b.npz"),
        ("x=" + "1" * 200, "x=" + "1" * 199 + "2"),
        ("x=a b", "x=a_b"),
        ("x=../../etc", "x=.._.._etc"),
    ],
)
def test_run_names_are_safe_and_never_collide(one, two):
    names = {run_name([one]), run_name([two])}
    assert len(names) == 2
    for name in names:
        assert "/" not in name
        assert len(name) <= 130


def test_values_have_their_types():
    overrides = ["model.beta=4", "a.b=0.5", "free_bits=off", "+c=null", "d=[1,2]", "e=true", "f='x y'", "g=1e-3"]
    expected = {
        "model.beta": 4,
        "a.b": 0.5,
        "free_bits": "off",
        "c": None,
        "d": [1, 2],
        "e": True,
        "f": "x y",
        "g": 1e-3,
    }
    assert override_values([*overrides, "+experiment=smoke"]) == expected


def test_groups_mirror_the_design():
    named = {
        "data",
        "model",
        "encoder",
        "decoder",
        "likelihood",
        "annealing",
        "free_bits",
        "optimizer",
        "trainer",
        "logger",
    }
    assert named <= groups().keys()
