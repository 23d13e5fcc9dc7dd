"""What a search chooses from, in Hydra's own grammar."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from vae_lab.checks import ConfigError
from vae_lab.config.loader import CheckedLoader
from vae_lab.sweep.optuna_space import Choice, Numbers, dimension, read_space

PARSER = OverridesParser.create(config_loader=CheckedLoader())

WRITTEN = {
    "model.beta=interval(0.1,10)": Numbers(0.1, 10.0),
    "model.beta=interval(1,10)": Numbers(1.0, 10.0),
    "model.beta=tag(log, interval(0.1, 10))": Numbers(0.1, 10.0, log=True),
    "model.latent_dim=int(interval(1,16))": Numbers(1, 16, 1),
    "model.latent_dim=tag(log, int(interval(1,16)))": Numbers(1, 16, 1, log=True),
    "model.latent_dim=range(2,9)": Numbers(2, 8, 1),
    "model.latent_dim=range(2,9,3)": Numbers(2, 8, 3),
    "model.latent_dim=range(9,2,-3)": Numbers(3, 9, 3),
    "free_bits.epsilon=range(0,1,0.25)": Numbers(0.0, 0.75, 0.25),
    "free_bits.epsilon=range(0,0.3,0.1)": Numbers(0.0, 0.2, 0.1),
    "model=choice(vae,bn_vae)": Choice(("vae", "bn_vae")),
    "model.beta=0.5,1,4": Choice(("0.5", "1", "4")),
    "+remedy=none,bn": Choice(("none", "bn")),
    "inference=glob(*)": Choice(("aggressive", "joint")),
}


@pytest.mark.parametrize(("text", "expected"), WRITTEN.items(), ids=WRITTEN.keys())
def test_the_grammar(text, expected):
    found = dimension(PARSER.parse_overrides([text])[0])
    assert found == expected
    assert [type(end) for end in found.ends] == [type(end) for end in expected.ends]


MISTAKES = {
    "model.beta=interval(10,0.1)": "must go from a number to a larger one",
    "model.beta=interval(1,1)": "must go from a number to a larger one",
    "model.latent_dim=range(3,1)": "has no values",
    "model.latent_dim=range(1,3,0)": "has no values",
    "model.beta=interval(0,inf)": "must lie between finite numbers",
    "model.beta=tag(log, interval(0,1))": "must lie above 0",
    "model.latent_dim=tag(log, range(1,9,2))": "cannot have both steps and the tag log",
    "model.beta=tag(lg, interval(1,2))": "has the tag lg; a search knows the tag log",
    "model.beta=1,1.0": "has 1.0 twice",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=MISTAKES.keys())
def test_what_cannot_be_searched_is_refused_by_name(text, message):
    with pytest.raises(ConfigError) as caught:
        dimension(PARSER.parse_overrides([text])[0])
    assert str(caught.value).startswith(f"{text}: ")
    assert message in str(caught.value)


def test_numbers_are_written_short_and_within_their_bounds():
    assert Numbers(0.1, 10.0).written(3.14159265) == "3.142"
    assert Numbers(0.123446, 10.0).written(0.123446) == "0.123446"  # rounded it would lie below
    assert Numbers(0.0, 0.99999).written(0.99999) == "0.99999"
    assert Numbers(1e-6, 1e-3).written(1.23456e-5) == "1.235e-05"
    assert Numbers(10000.0, 10002.0, 0.5).written(10000.5) == "10000.5"
    assert Numbers(1, 9, 1).written(3) == "3"


def space(params, *arguments):
    return read_space(PARSER, params, list(arguments))


def test_a_person_s_values_replace_the_experiment_s():
    found = space({"model.beta": "interval(0,1)", "seed": "0,1"}, "trainer.max_steps=5", "model.beta=1,2", "seed=3")
    assert found.dimensions == {"model.beta": Choice(("1", "2"))}
    assert (found.fixed, found.seeds, found.optional) == (["seed=3", "trainer.max_steps=5"], (), frozenset())


def test_each_setting_is_run_with_all_seeds():
    found = space({}, "+experiment=smoke", "model.beta=interval(1,2)", "seed=0,1,2")
    assert found.keys == ["model.beta", "seed"]
    jobs = found.jobs({"model.beta": 1.25}, lambda groups: set())
    assert jobs == [["+experiment=smoke", "model.beta=1.25", f"seed={seed}"] for seed in range(3)]


def test_a_setting_that_a_part_does_not_have_is_left_out_where_the_experiment_searches_it():
    params = {"model": "beta_vae,vae", "model.beta": "interval(1,2)"}
    known = {("model=vae",): {"model"}, ("model=beta_vae",): {"model", "model.beta"}}
    own = space(params)
    assert own.jobs({"model": "vae", "model.beta": 1.5}, known.__getitem__) == [["model=vae"]]
    assert own.jobs({"model": "beta_vae", "model.beta": 1.5}, known.__getitem__) == [
        ["model=beta_vae", "model.beta=1.5"]
    ]
    typed = space(params, "model.beta=interval(1,2)")
    assert typed.jobs({"model": "vae", "model.beta": 1.5}, known.__getitem__) == [["model=vae", "model.beta=1.5"]]


def test_each_choice_and_both_ends_are_tried_first():
    found = space({"+remedy": "none,bn,info", "model.beta": "interval(1,2)"})
    points = [(point["remedy"], point["model.beta"]) for point in found.corners()]
    assert points == [("none", 1.0), ("bn", 1.0), ("info", 1.0), ("none", 2.0)]
    assert found.jobs({"remedy": "bn", "model.beta": 2.0}, lambda groups: {"model.beta"}) == [
        ["+remedy=bn", "model.beta=2.0"]
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=0,1"], "nothing to search over"),
        (["+experiment=smoke,search"], "experiment=smoke,search: one at a time"),
    ],
)
def test_a_search_over_nothing_or_over_experiments_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        space({}, *arguments)
