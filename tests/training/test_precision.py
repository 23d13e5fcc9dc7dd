"""Mixed precision: finite figures for each variant, and an ELBO in float32."""

import math

import pytest
import torch
from lightning.pytorch import Callback

from vae_lab.checks import ConfigError
from vae_lab.training.assembly import assemble
from vae_lab.training.run import check, execute
from vae_lab.training.trainer import make_trainer

VARIANTS = {
    "vae": ["model=vae"],
    "beta_vae": ["model.beta=4"],
    "delta_vae ar1": ["model=delta_vae"],
    "delta_vae independent": ["model=delta_vae", "model.variant=independent"],
    "info_vae": ["model=info_vae", "model.lambd=10"],
    "info_vae median": ["model=info_vae", "model.lambd=10", "model.estimator=unbiased", "model.bandwidth=median"],
    "bn_vae": ["model=bn_vae"],
    "free bits": ["free_bits=dimension"],
    "capacity": ["annealing=capacity"],
    "pi": ["control=pi"],
    "geco": ["control=geco", "control.target=30"],
    "continuous_bernoulli": ["likelihood=continuous_bernoulli"],
    "gaussian_optimal": ["likelihood=gaussian_optimal"],
    "discretized_logistic": ["likelihood=discretized_logistic", "likelihood.levels=17"],
    "conv": ["encoder=conv", "decoder=conv"],
    "aggressive": ["inference=aggressive"],
}
STEPS = ("trainer.accelerator=cpu", "trainer.max_steps=40", "trainer.val_check_interval=20")
MIXED = "trainer.precision=bf16-mixed"
APART = 0.05  # nats per image that rounding to 8 bits may move the rate or the distortion in 40 steps; 0.018 was seen
ELBO = ("distortion", "rate", "mean", "stddev", "z", "params")


def figures(result):
    for name, value in result.metrics.items():
        for figure in value if isinstance(value, list) else [value]:
            yield name, figure


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS.keys())
def test_every_variant_has_finite_figures(compose_config, tmp_path, overrides):
    mixed = execute(compose_config(*STEPS, MIXED, *overrides), tmp_path / "mixed", {})
    assert mixed.status == "finished"
    assert [name for name, figure in figures(mixed) if not math.isfinite(figure)] == []
    full = execute(compose_config(*STEPS, *overrides), tmp_path / "full", {})
    for name in ("test/rate", "test/distortion"):
        assert mixed.metrics[name] == pytest.approx(full.metrics[name], abs=APART), name
        assert mixed.metrics[name] != full.metrics[name]


class Kinds(Callback):
    """Notes the precision of what a network gives, and of the terms of the loss."""

    def __init__(self, model):
        self.network, self.terms = set(), set()
        model.encoder.register_forward_hook(lambda module, x, out: self.network.add((module.training, out[0].dtype)))

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        output = outputs["output"]
        self.terms |= {getattr(output.terms, name).dtype for name in ELBO}
        self.terms |= {value.dtype for value in (outputs["loss"], *output.extra.values())}


@pytest.mark.parametrize("model", ["vae", "delta_vae", "info_vae", "bn_vae"])
def test_networks_train_in_bfloat16_and_the_elbo_in_float32(compose_config, model):
    config = compose_config(*STEPS, MIXED, f"model={model}")
    parts = assemble(config)
    kinds = Kinds(parts.model)
    callbacks = [*parts.remedies, parts.evaluation, kinds]
    make_trainer(config, callbacks=callbacks, logger=False, enable_progress_bar=False).fit(
        parts.model, datamodule=parts.data
    )
    assert kinds.network == {(True, torch.bfloat16), (False, torch.float32)}  # evaluation is in full precision
    assert kinds.terms == {torch.float32}


def test_the_mmd_is_computed_in_float32(compose_config):
    model = assemble(compose_config("model=info_vae")).model
    x, noise = torch.rand(6, 1, 8, 8), torch.randn(2, 6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(x, noise)
    terms = output.terms
    assert model.objective(terms)[1]["mmd"].equal(output.extra["mmd"])


def test_half_precision_on_the_cpu_is_refused_rather_than_exchanged(compose_config):
    with pytest.raises(ConfigError, match=r"^trainer\.precision=16-mixed: needs a GPU; on the CPU take bf16-mixed$"):
        check(compose_config("trainer.accelerator=cpu", "trainer.precision=16-mixed"))
