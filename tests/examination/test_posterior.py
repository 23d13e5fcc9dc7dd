"""Every form of q(z|x) in common code is read."""

from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from vae_lab.checks import ArgumentError
from vae_lab.examination.posterior import read_posterior

MEAN, STDDEV = torch.randn(5, 3), torch.rand(5, 3) + 0.1
LOG_VARIANCE = 2 * STDDEV.log()


@pytest.mark.parametrize(
    ("output", "scale"),
    [
        ((MEAN, LOG_VARIANCE), "log_variance"),
        ([MEAN, STDDEV], "stddev"),
        ((MEAN, STDDEV.square()), "variance"),
        ((MEAN, STDDEV.log()), "log_stddev"),
        (Normal(MEAN, STDDEV), "log_variance"),
        (Independent(Normal(MEAN, STDDEV), 1), "log_variance"),
        ((MEAN + 1, Normal(MEAN, STDDEV), torch.zeros(5)), "log_variance"),
        ({"mu": MEAN, "logvar": LOG_VARIANCE, "z": MEAN + 1}, "stddev"),
        ({"embedding": MEAN, "log_covariance": LOG_VARIANCE}, "stddev"),
        (SimpleNamespace(latent_dist=SimpleNamespace(mean=MEAN, std=STDDEV)), "log_variance"),
        ({"qz": Normal(MEAN, STDDEV)}, "log_variance"),
    ],
)
def test_mean_and_stddev(output, scale):
    mean, stddev = read_posterior(output, scale)
    torch.testing.assert_close((mean, stddev), (MEAN, STDDEV))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (MEAN, r"\.chunk\(2, dim=1\)"),
        ((MEAN, MEAN, MEAN), r"\(5, 3\), \(5, 3\), \(5, 3\).*\[:2\]"),
        ({"mean": MEAN}, "must give"),
        (MultivariateNormal(torch.zeros(2), torch.eye(2)), "diagonal Gaussian"),
    ],
)
def test_what_is_ambiguous_is_refused_with_what_to_write(output, words):
    with pytest.raises(ArgumentError, match=words):
        read_posterior(output)


def test_log_variances_passed_as_deviations_are_noticed():
    with pytest.raises(ArgumentError, match="are they log-variances"):
        read_posterior((MEAN, -STDDEV), "stddev")
