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


@pytest.fixture(scope="module")
def cells():
    """A scvi-tools model of 60 cells in two batches, trained for a moment within its warm-up; and its loader."""
    counts = torch.poisson(torch.full((60, 12), 3.0), generator=torch.Generator().manual_seed(0)).numpy()
    with warnings.catch_warnings(action="ignore"), torch.random.fork_rng():
        scvi, anndata = pytest.importorskip("scvi"), pytest.importorskip("anndata")
        from scvi.dataloaders import AnnDataLoader

        table = anndata.AnnData(counts, obs={"plate": ["a", "b"] * 30, "dose": [0.5, 1.5, 2.5] * 20})
        scvi.model.SCVI.setup_anndata(table, batch_key="plate", continuous_covariate_keys=["dose"])
        model = scvi.model.SCVI(table, n_latent=3, n_hidden=8, dispersion="gene-batch", gene_likelihood="nb")
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": None}
        model.train(max_epochs=12, accelerator="cpu", plan_kwargs={"n_epochs_kl_warmup": 18}, **quiet)
        yield model, AnnDataLoader(model.adata_manager, batch_size=25)


def test_scvi_scores_counts_over_genes_by_each_cells_own_batch_and_library(cells):
    model, loader = cells
    report = vae_lab.examine(loader, model=model, importance_samples=0)
    elbo, rates = 0.0, torch.zeros(3)
    with torch.no_grad(), torch.random.fork_rng():
        for batch in loader:
            q, p, loss = model.module(batch)
            rates += torch.distributions.kl_divergence(q["qz"], p["pz"]).sum(0) / 60
            elbo -= (
                float(sum(part.sum() for part in (*loss.reconstruction_loss.values(), *loss.kl_local.values()))) / 60
            )
    assert report.figures["rate_dim"] == pytest.approx(rates.tolist(), rel=1e-4)
    assert report.figures["elbo"] == pytest.approx(elbo, abs=0.5)  # each has noise of its own
    assert "NegativeBinomial likelihood; β = 0.5" in str(report)
    assert "ended within the warm-up of the KL, at the weight 0.5" in str(report)
    assert "psnr" not in report.figures and not report.picture


def test_scvi_is_left_as_it_was_and_counts_without_their_batches_are_refused(cells):
    model, loader = cells
    state, mode = torch.random.get_rng_state(), model.module.training
    vae_lab.examine(loader, model=model.module, importance_samples=0)
    assert torch.random.get_rng_state().equal(state) and model.module.training == mode
    with pytest.raises(ArgumentError, match=r"must be scvi\.dataloaders\.AnnDataLoader"):
        vae_lab.examine(torch.ones(20, 12), model=model)


@pytest.mark.parametrize(
    ("kind", "observed", "words"),
    [("TOTALVAE", True, "scvi's TOTALVAE: is none of VAE"), ("VAE", False, "library size")],
)
def test_modules_of_scvi_with_another_loss_are_refused(kind, observed, words):
    module = type(kind, (nn.Module,), {"__module__": "scvi.module", "use_observed_lib_size": observed})()
    with pytest.raises(ArgumentError, match=words):
        adapted(module)


def test_any_model_with_both_methods_and_no_other(plain):
    known = adapted(plain)
    assert known["encode"] == plain.encode and known["name"] == "Plain"
    with pytest.raises(ArgumentError, match="model=Linear: has no methods encode and decode"):
        adapted(nn.Linear(1, 1))
