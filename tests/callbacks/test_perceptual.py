"""The perceptual term: beside the true figures, for any model, and in no checkpoint."""

import copy
import math

import pytest
import torch

import vae_lab
from vae_lab.checks import ConfigError
from vae_lab.evaluate import evaluate
from vae_lab.training.assembly import assemble
from vae_lab.training.loading import read_checkpoint
from vae_lab.training.run import execute

TERM = ("perceptual=random", "perceptual.network=classifier", "perceptual.size=null", "perceptual.lambd=5")
MODELS = {
    "vae": [],
    "beta_vae": ["model=beta_vae", "model.beta=4", "free_bits=dimension"],
    "info_vae": ["model=info_vae", "model.lambd=10"],
    "bn_vae": ["model=bn_vae"],
    "delta_vae": ["model=delta_vae"],
    "averaged": ["model.distortion_reduction=mean"],
    "gaussian": ["likelihood=gaussian_learned", "encoder=conv", "decoder=conv"],
}


def batch(model, data):
    x = data.training_sample(8)
    generator = torch.Generator().manual_seed(0)
    return x, torch.randn(model.noise_streams, len(x), model.latent_dim, generator=generator)


@pytest.mark.parametrize("overrides", MODELS.values(), ids=MODELS)
def test_the_loss_of_any_model_has_one_more_term_and_true_figures(overrides, compose_config):
    with_term, without = (assemble(compose_config(*overrides, *term)) for term in (TERM, ()))
    x, noise = batch(with_term.model, with_term.data)
    ours, plain = with_term.model(x, noise), without.model(x, noise)
    assert ours.extra.keys() - plain.extra.keys() == {"perceptual"} and ours.extra["perceptual"] > 0
    torch.testing.assert_close(ours.loss, plain.loss + 5 * ours.extra["perceptual"])
    for name in ("rate", "distortion", "z"):
        assert getattr(ours.terms, name).equal(getattr(plain.terms, name))
    assert not with_term.model.plain_elbo


def test_it_compares_mean_images(compose_config):
    parts = assemble(compose_config(*TERM))
    x, noise = batch(parts.model, parts.data)
    output, term = parts.model(x, noise), parts.model.perceptual
    assert output.extra["perceptual"].equal(term(output.terms.params.sigmoid(), x).mean())


def test_by_default_there_is_none(compose_config):
    parts = assemble(compose_config())
    assert parts.model.perceptual is None and parts.model.plain_elbo


def test_gradients_reach_the_decoder_and_not_the_features(compose_config):
    parts = assemble(compose_config(*TERM, "model.beta=0"))
    model = parts.model
    distance = model(*batch(model, parts.data)).extra["perceptual"]
    distance.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.decoder.parameters())
    assert not any(name.startswith("perceptual") for name, _ in model.named_parameters())


def test_it_compiles_and_stacks_over_lambda(compose_config, check_compiles_and_stacks):
    models = [assemble(compose_config(*TERM, f"perceptual.lambd={lambd}")).model for lambd in (0, 2, 50)]
    x, noise = batch(models[0], assemble(compose_config()).data)
    check_compiles_and_stacks(models, x, noise, read=lambda output: output.loss)


def test_it_stacks_on_resized_features_of_a_deep_network(compose_config):
    options = ("perceptual=random", "perceptual.size=24")
    models = [assemble(compose_config(*options, f"perceptual.lambd={lambd}")).model for lambd in (1, 2)]
    x, noise = batch(models[0], assemble(compose_config()).data)
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")
    stacked = torch.func.vmap(lambda p, b: torch.func.functional_call(base, (p, b), (x, noise)).loss)(params, buffers)
    torch.testing.assert_close(stacked, torch.stack([model(x, noise).loss for model in models]))


def test_a_run_records_it_and_its_checkpoint_names_the_network_only(compose_config, tmp_path, curve):
    result = execute(compose_config(*TERM), tmp_path, {})
    assert result.status == "finished"
    figures = result.metrics
    assert figures["test/elbo"] == pytest.approx(-figures["test/rate"] - figures["test/distortion"])
    expected = -figures["test/elbo"] + 5 * figures["test/perceptual"]
    assert figures["test/loss"] == pytest.approx(expected, rel=1e-5)
    assert curve("val/perceptual") and curve("train/perceptual")
    assert result.objective is not None and not result.objective.plain_elbo

    content = read_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert [name for name in content["state_dict"] if name.startswith("perceptual")] == ["perceptual.lambd"]
    assert content["vae_lab"]["config"]["perceptual"]["network"] == "classifier"
    assert vae_lab.load(tmp_path).perceptual.features is None
    again = evaluate(tmp_path)
    for name in ("test/loss", "test/perceptual", "test/elbo", "test/sharpness", "test/sharpness_samples"):
        assert again[name] == pytest.approx(figures[name], rel=1e-6), name


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_it_trains_in_half_floats(precision, compose_config, tmp_path):
    options = ("trainer.accelerator=cpu", f"trainer.precision={precision}", "trainer.max_steps=4")
    result = execute(compose_config(*TERM, *options, "trainer.val_check_interval=2"), tmp_path, {})
    assert result.status == "finished" and math.isfinite(result.metrics["test/perceptual"])


def test_what_does_not_fit_is_refused_by_name(compose_config):
    with pytest.raises(ConfigError, match=r"perceptual.network=lite1: must be one of lite0, vgg16, classifier"):
        assemble(compose_config("perceptual=lite0", "perceptual.network=lite1"))
    with pytest.raises(ConfigError, match=r"perceptual.lambd=-1"):
        assemble(compose_config(*TERM, "perceptual.lambd=-1"))
    with pytest.raises(ConfigError, match=r"perceptual.network=classifier: needs a decoder that gives a mean image"):
        assemble(compose_config(*TERM, "decoder=pixelcnn"))
    with pytest.raises(ConfigError, match=r"perceptual.network=classifier: needs pixels in \[0, 1\]"):
        assemble(compose_config(*TERM, "data=gaussian", "likelihood=gaussian"))
