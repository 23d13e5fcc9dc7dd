"""Small models from outside."""

import pytest
import torch
from torch import nn


class Plain(nn.Module):
    """A VAE as most people write one: flat examples, mean and log-variance, probabilities of pixels."""

    def __init__(self, size=16, latent_dim=2):
        super().__init__()
        self.encoder = nn.Linear(size, 2 * latent_dim)
        self.decoder = nn.Sequential(nn.Dropout(0.5), nn.Linear(latent_dim, size), nn.Sigmoid())

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)

    def decode(self, z):
        return self.decoder(z)


@pytest.fixture
def plain():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Plain()


@pytest.fixture
def x():
    return torch.rand(40, 16, generator=torch.Generator().manual_seed(0))
