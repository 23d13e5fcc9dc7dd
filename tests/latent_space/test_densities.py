"""The prior's moments, and the aggregate posterior."""

import pytest
import torch

from vae_lab.elbo.priors import AR1, StandardNormal
from vae_lab.latent_space import Posteriors, aggregate_sample, prior_covariance


def test_the_covariance_of_an_ar1_prior_falls_by_alpha_a_step():
    prior = AR1(delta=2.0, latent_dim=4, steps=2)
    alpha = float(prior.alpha)
    expected = torch.eye(4) + alpha * torch.eye(4).roll(2, 0)
    torch.testing.assert_close(prior_covariance(prior, 4), expected, atol=0.03, rtol=0)


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_a_standard_normal_has_the_unit_covariance(latent_dim):
    found = prior_covariance(StandardNormal(), latent_dim)
    torch.testing.assert_close(found, torch.eye(latent_dim), atol=0.03, rtol=0)


def test_aggregate_samples_have_the_moments_of_the_mixture():
    mean = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    stddev = torch.tensor([[0.5, 1.0], [0.5, 1.0]])
    z = aggregate_sample(Posteriors(mean, stddev, torch.zeros(2, 2)), 20_000, seed=3)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=0.05, rtol=0)
    torch.testing.assert_close(z.var(0), torch.tensor([4.25, 1.0]), atol=0.05, rtol=0)
    assert z.equal(aggregate_sample(Posteriors(mean, stddev, torch.zeros(2, 2)), 20_000, seed=3))
    assert not z[:5].equal(aggregate_sample(Posteriors(mean, stddev, torch.zeros(2, 2)), 5, seed=4))


def test_they_draw_nothing_from_the_global_generator():
    before = torch.get_rng_state()
    aggregate_sample(Posteriors(torch.zeros(2, 2), torch.ones(2, 2), torch.zeros(2, 2)), 5)
    prior_covariance(StandardNormal(), 2)
    assert torch.get_rng_state().equal(before)
