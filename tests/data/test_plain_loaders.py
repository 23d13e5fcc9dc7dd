"""Our models train in a stock Trainer with what a plain DataLoader gives."""

import pytest
import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.models import BNVAE, VAE, DeltaVAE, InfoVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

SHAPE, D = (1, 8, 8), 2
X = torch.rand(64, *SHAPE, generator=torch.Generator().manual_seed(0))
LOADERS = {
    "tensors in a data set": lambda: DataLoader(TensorDataset(X), batch_size=16),
    "images and labels": lambda: DataLoader(TensorDataset(X, torch.arange(64) % 10), batch_size=16),
    "bare tensors": lambda: DataLoader(X, batch_size=16),
    "pairs of a list": lambda: DataLoader([(x, 3) for x in X], batch_size=16),
}


def stock():
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    return Trainer(max_epochs=2, enable_model_summary=False, **quiet)


def model(cls):
    torch.manual_seed(0)
    return cls(encoder=MLPEncoder(SHAPE, D), decoder=MLPDecoder(SHAPE, D), likelihood=Bernoulli(), latent_dim=D)


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("cls", [VAE, BNVAE, DeltaVAE, InfoVAE])
def test_fit_validate_and_test(cls, name):
    vae, trainer = model(cls), stock()
    before = vae.decoder.net[0].weight.clone()
    trainer.fit(vae, LOADERS[name](), LOADERS[name]())
    assert trainer.global_step == 8
    assert not vae.decoder.net[0].weight.equal(before)
    trainer.validate(vae, LOADERS[name](), verbose=False)
    trainer.test(vae, LOADERS[name](), verbose=False)


def test_all_plain_loaders_train_the_same_model():
    weights = []
    for loader in LOADERS.values():
        vae = model(VAE)
        stock().fit(vae, loader())
        weights.append(vae.decoder.net[0].weight)
    assert all(weight.equal(weights[0]) for weight in weights)
