"""Whole short runs with the networks whose decoder takes more than z, or gives more than a number for a pixel."""

import pytest

from vae_lab.training.loading import load
from vae_lab.training.run import execute

DIGITS = ("likelihood.levels=17", "data.batch_size=32", "model.latent_dim=2")
RUNS = {
    "style": ("decoder=style", "decoder.channels=[4,8]", "decoder.style=8", "likelihood=discretized_logistic", *DIGITS),
    "mixture": ("likelihood=discretized_logistic_mixture", *DIGITS),
    "pixelcnn": (
        *("decoder=pixelcnn", "decoder.channels=4", "likelihood=discretized_logistic_mixture"),
        *(*DIGITS, "metrics.test.shuffle_gap.images=20"),
    ),
    "resnet": ("encoder=resnet", "decoder=resnet", "encoder.channels=[4]", "decoder.channels=[4]"),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_measured_and_its_model_is_loaded(name, compose_config, tmp_path):
    overrides = ("trainer.max_steps=6", "trainer.val_check_interval=3", *RUNS[name])
    outcome = execute(compose_config(*overrides), tmp_path / "run", {})
    figures = outcome.metrics
    assert figures["test/nll"] <= -figures["test/elbo"] + 0.1  # two draws
    model = load(tmp_path / "run")
    assert model.sample(2).shape == (2, 1, 8, 8)
    assert model.sample(2, seed=1).allclose(model.sample(2, seed=1))
