"""Mistakes in a config are one line that names their key, whatever part of it they are in."""

import pytest

from vae_lab.checks import ConfigError
from vae_lab.training.run import check

GROUPS = ("data", "model", "encoder", "decoder", "likelihood", "annealing", "metrics", "optimizer")


@pytest.mark.parametrize("group", [*GROUPS, "trainer"])
@pytest.mark.parametrize("lost", ["deleted", None, {}])
def test_a_group_that_is_needed_is_asked_for_by_name(compose_config, group, lost):
    config = compose_config()
    config[group] = lost
    if lost == "deleted":
        del config[group]
    with pytest.raises(ConfigError) as refused:
        check(config)
    assert str(refused.value) == f"{group}: must be given, no run goes without it"


@pytest.mark.parametrize("group", [*GROUPS, "trainer"])
def test_a_group_must_be_a_group(compose_config, group):
    with pytest.raises(ConfigError, match=rf"^{group}=5: must be an option of its group"):
        check(compose_config() | {group: 5})


@pytest.mark.parametrize("group", ["free_bits", "control", "inference", "logger", "epochs", "threads"])
def test_other_groups_may_be_left_out(compose_config, group):
    config = compose_config()
    del config[group]
    check(config)


@pytest.mark.parametrize("group", ["data", "model", "encoder", "decoder", "annealing", "optimizer", "trainer"])
def test_a_part_without_a_target_is_named(compose_config, group):
    config = compose_config()
    del config[group]["_target_"]
    with pytest.raises(ConfigError, match=rf"^{group}\._target_: must be given"):
        check(config)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("trainer.precision=7", "trainer.precision=7: must be one of 32-true, "),
        ("trainer.gradient_clip_val=-1", "trainer.gradient_clip_val=-1: must be a finite number > 0"),
        ("trainer.gradient_clip_val=x", "trainer.gradient_clip_val=x: must be a finite number > 0"),
        ("trainer.accelerator=abacus", "trainer: ValueError: You selected an invalid accelerator name"),
        ("+trainer.max_epochs=1", "trainer.max_epochs=1: is not supported"),
        ("+trainer.foo=1", "trainer.foo=1: no such setting"),
        ("threads=0", "threads=0: must be a whole number >= 1 and <= 1024"),
        ("threads=100000", "threads=100000: must be a whole number >= 1 and <= 1024"),
        ("metrics.val=null", "metrics.val: must be given: the metrics by name"),
        ("metrics.test=5", "metrics.test: must be given: the metrics by name"),
        ("metrics.test.elbo=5", "metrics.test.elbo=5: must be a metric, or null"),
        ("~seed", "seed: must be given"),
    ],
)
def test_a_setting_is_named(compose_config, override, words):
    with pytest.raises(ConfigError) as refused:
        check(compose_config(override))
    assert str(refused.value).startswith(words)
    assert len(str(refused.value).splitlines()) == 1
