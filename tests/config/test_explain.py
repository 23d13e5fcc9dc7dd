"""Hydra's messages in our words, with their fields, also where a person has settings of their own."""

import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.config.groups import groups


def mistake(*overrides, config_dir=None):
    with pytest.raises(ConfigError) as caught:
        compose_config(overrides, config_dir)
    return caught.value


@pytest.fixture
def own(tmp_path):
    """A folder of one's own, whose path Hydra's grammar would misread without quotes."""
    folder = tmp_path / "it's, my conf"
    (folder / "encoder").mkdir(parents=True)
    (folder / "encoder" / "residual.yaml").write_text("_target_: my_nets.Residual\nblocks: 3\n")
    return folder


@pytest.mark.parametrize(
    ("override", "argument", "value", "allowed"),
    [
        ("model=betavae", "model", "betavae", "must be one of beta_tcvae, beta_vae, bn_vae"),
        ("model.bet=1", "model.bet", "1", "model=beta_vae has no bet (did you mean beta?)"),
        ("sed=1", "sed", "1", "no such setting (did you mean seed?)"),
        ("hydra.swep.dir=x", "hydra.swep.dir", "x", "hydra has no swep (did you mean sweep?)"),
        ("hydra.sweep.dri=x", "hydra.sweep.dri", "x", "hydra.sweep has no dri (did you mean dir?); it has dir, subdir"),
        ("data=npz", "data.path", None, "must be given"),
        ("encoder=anticausal", "encoder.steps", None, "follows model.steps, which is not set here; model=delta_vae"),
        ("+model.beta=1", "model.beta", None, "exists already; write it without the +"),
    ],
)
def test_a_mistake_carries_its_fields(override, argument, value, allowed):
    found = mistake(override)
    assert (found.argument, found.value) == (argument, value)
    assert found.allowed.startswith(allowed)
    assert allowed in str(found)


def test_settings_of_a_launcher_are_those_of_the_chosen_one():
    found = mistake("hydra/launcher=local", "hydra.launcher.jobs_per_devise=2")
    assert found.allowed.startswith("hydra.launcher has no jobs_per_devise (did you mean jobs_per_device?)")


def test_own_settings_are_composed(own):
    assert compose_config(["encoder=residual", "encoder.blocks=5"], own)["encoder"]["blocks"] == 5
    assert compose_config(["encoder=mlp"], str(own))["encoder"]["hidden"] == [256]


def test_own_options_are_named(own):
    assert "residual" in mistake("encoder=residul", config_dir=own).allowed
    assert "encoder=residual has no block (did you mean blocks?)" in str(
        mistake("encoder=residual", "encoder.block=5", config_dir=own)
    )


def test_groups_hold_one_s_own_options_beside_ours(own):
    assert groups(own)["encoder"] == sorted([*groups()["encoder"], "residual"])
