"""BN-VAE: a guaranteed spread of the posterior means, frozen in scale and learnt in shift."""

import pytest
import torch
from torch import nn

from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.models import BNVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

IMAGE, D = (1, 4, 5), 32


class Means(nn.Module):
    """An encoder whose means are the first D pixels, with a variance of one (so that only the means cost anything)."""

    def forward(self, x):
        mean = x.flatten(1)[:, :D]
        return mean, torch.zeros_like(mean)


def make(gamma, encoder=None, image=IMAGE, latent_dim=D):
    torch.manual_seed(0)
    encoder = encoder or MLPEncoder(image, latent_dim, [16])
    parts = {"decoder": MLPDecoder(image, latent_dim, [16]), "likelihood": Bernoulli(), "latent_dim": latent_dim}
    return BNVAE(gamma=gamma, encoder=encoder, **parts).double().train()


def rate(model, x):
    return model.prior.rate(*model.posterior(x)).sum(1).mean().item()


def randn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("gamma", "floor"), [(0.5, 4.0), (0.6, 5.76), (0.7, 7.84)])
@pytest.mark.parametrize("shift", [0.0, 0.4])
@pytest.mark.parametrize("n", [2, 16, 200])
def test_training_batches_never_have_a_rate_below_the_floor(gamma, floor, shift, n):
    model = make(gamma)
    nn.init.constant_(model.shift, shift)
    with torch.no_grad():
        model.encoder.net[-1].weight.mul_(100)  # spread the means, so that BatchNorm's eps does not count
        model.encoder.net[-1].weight[D:].zero_()
    x = randn(n, *IMAGE, seed=1)
    assert rate(model, x) >= D * (gamma**2 + shift**2) / 2 * (1 - 1e-3)
    assert D * gamma**2 / 2 == pytest.approx(floor) == pytest.approx(model.rate_floor())


@pytest.mark.parametrize("gamma", [0.5, 0.7])
@pytest.mark.parametrize("shift", [0.0, -0.8])
def test_rate_is_the_bound_exactly_at_unit_variance(gamma, shift):
    model = make(gamma, Means(), image=(1, 4, 8))
    nn.init.constant_(model.shift, shift)
    assert rate(model, 1000 * randn(50, 1, 4, 8, seed=2)) == pytest.approx(D * (gamma**2 + shift**2) / 2, rel=1e-6)


def test_small_means_are_held_back_by_eps_as_stated():
    model, x = make(0.5, Means(), image=(1, 4, 8)), 0.01 * randn(50, 1, 4, 8, seed=3)
    variance = x.flatten(1).var(0, correction=0)
    expected = 0.5 * (0.25 * variance / (variance + model.normalise.eps)).sum().item()
    assert rate(model, x) == pytest.approx(expected, rel=1e-6)


def test_posterior_means_have_mean_b_and_spread_gamma():
    model = make(0.3, Means(), image=(1, 4, 8))
    nn.init.constant_(model.shift, 0.7)
    mean, stddev = model.posterior(5 + 100 * randn(64, 1, 4, 8, seed=4))
    torch.testing.assert_close(mean.mean(0), torch.full((D,), 0.7, dtype=mean.dtype))
    torch.testing.assert_close(mean.var(0, correction=0), torch.full((D,), 0.09, dtype=mean.dtype), rtol=1e-6, atol=0)
    assert torch.equal(stddev, torch.ones_like(stddev))


def test_gamma_is_frozen_and_the_shift_is_learnt():
    model = make(0.5)
    parameters = dict(model.named_parameters())
    assert [name for name in parameters if not name.startswith(("encoder", "decoder"))] == ["shift"]
    x, noise = torch.rand(8, *IMAGE).double(), randn(1, 8, D, seed=5)
    model(x, noise).loss.backward()
    assert model.shift.grad.abs().min() > 0
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert model.gamma.item() == 0.5
    assert model.shift.abs().min() > 0


def test_evaluation_uses_running_statistics():
    model = make(0.5, Means(), image=(1, 4, 8))
    for seed in range(200):
        model.posterior(3 + 2 * randn(100, 1, 4, 8, seed=seed))
    model.eval()
    running_mean, running_var = model.normalise.running_mean.clone(), model.normalise.running_var.clone()
    assert running_mean.mean().item() == pytest.approx(3, abs=0.05)
    assert running_var.mean().item() == pytest.approx(4, abs=0.1)
    x = 10 * randn(5, 1, 4, 8, seed=0)
    mean, _ = model.posterior(x)
    expected = 0.5 * (x.flatten(1) - running_mean) / (running_var + model.normalise.eps).sqrt()
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(model.posterior(x[:1])[0], mean[:1])  # an image is encoded the same in any company
    assert torch.equal(model.normalise.running_mean, running_mean)


@pytest.mark.parametrize("gamma", [0.0, -0.5, float("nan")])
def test_bad_gamma_is_refused_by_name(gamma):
    with pytest.raises(ValueError, match=f"^gamma={gamma}: must be a finite number > 0"):
        make(gamma)
