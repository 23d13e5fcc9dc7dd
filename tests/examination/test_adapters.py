"""Models of other libraries, by their own classes."""

import warnings

import pytest
import torch
from torch import nn

import vae_lab
from vae_lab.checks import ArgumentError
from vae_lab.examination.adapters import adapted

X = torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def library(name):
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip(name)


@pytest.mark.parametrize(("loss", "likelihood"), [("bce", "Bernoulli"), ("mse", "Gaussian")])
def test_pythae_says_its_loss_and_its_beta(loss, likelihood):
    models = library("pythae.models")
    config = models.BetaVAEConfig(input_dim=(1, 8, 8), latent_dim=3, beta=5.0, reconstruction_loss=loss)
    model = models.BetaVAE(config)
    report = vae_lab.examine(X, model=model, importance_samples=0)
    objective = report.result.objective
    assert (objective.likelihood, objective.effective_beta, objective.plain_elbo) == (likelihood, 5.0, True)
    model.eval()
    with torch.no_grad():
        q = model.encoder(X)
        rate = 0.5 * (q.embedding**2 + q.log_covariance.exp() - 1 - q.log_covariance).sum(1).mean()
    assert report.figures["rate"] == pytest.approx(float(rate), rel=1e-4)


def test_pythae_with_another_loss_says_so_and_with_another_prior_is_refused():
    models = library("pythae.models")
    model = models.INFOVAE_MMD(models.INFOVAE_MMD_Config(input_dim=(1, 8, 8), latent_dim=3))
    report = vae_lab.examine(X, model=model, importance_samples=0)
    assert "its loss has an MMD" in str(report) and not report.result.objective.plain_elbo
    with pytest.raises(ArgumentError, match="pythae's VAMP"):
        adapted(models.VAMP(models.VAMPConfig(input_dim=(1, 8, 8), latent_dim=3, number_components=2)))


def test_the_autoencoder_of_diffusers_has_spatial_latents_and_an_l1_loss():
    diffusers = library("diffusers")
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    sizes = {"block_out_channels": (8, 16), "latent_channels": 4, "norm_num_groups": 4, "sample_size": 8}
    model = diffusers.AutoencoderKL(in_channels=1, out_channels=1, **blocks, **sizes)
    report = vae_lab.examine(2 * X - 1, model=model, importance_samples=0)
    objective = report.result.objective
    assert objective.likelihood == "Laplace" and objective.effective_beta == pytest.approx(1e-6)
    assert len(report.figures["rate_dim"]) == 4
    model.eval()
    with torch.no_grad():
        rate = model.encode(2 * X - 1).latent_dist.kl().mean()
    assert report.figures["rate"] == pytest.approx(float(rate), rel=1e-4)
    assert "1e-6 × its numbers" in str(report)
    averaged = vae_lab.examine(2 * X - 1, model=model, importance_samples=0, reduction="mean")
    assert averaged.result.objective.effective_beta == pytest.approx(64e-6)


def test_any_model_with_both_methods_and_no_other(plain):
    known = adapted(plain)
    assert known["encode"] == plain.encode and known["name"] == "Plain"
    with pytest.raises(ArgumentError, match="model=Linear: has no methods encode and decode"):
        adapted(nn.Linear(1, 1))
