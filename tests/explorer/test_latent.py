"""The page's mathematics against torch's: ways, distances, densities."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from vae_lab.elbo.priors import AR1, StandardNormal
from vae_lab.explorer.page import asset
from vae_lab.explorer.scene import moments
from vae_lab.latent_space import lerp, slerp

DIMS = 6


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def call(chromium):
    """Calls a function of latent.js; numbers arrive as they do in the page, as typed arrays."""
    chromium.get("about:blank")

    def run(name, *arguments):
        script = f"""{asset("latent.js")}
        const typed = (value) => Array.isArray(value) ? Float64Array.from(value) : value;
        const given = [...arguments].map((value) => value && value.mean ?
          Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, typed(entry)])) : typed(value));
        const found = {name}(...given);
        return found.length === undefined ? found : Array.from(found);"""
        return chromium.execute_script(script, *(a.tolist() if isinstance(a, torch.Tensor) else a for a in arguments))

    return run


@pytest.mark.parametrize(("name", "way"), [("lerp", lerp), ("slerp", slerp)])
@pytest.mark.parametrize("case", ["any", "same", "opposite", "from the origin"])
def test_ways_are_those_of_the_latent_space(call, name, way, case):
    start, stop = draw(DIMS, seed=1), draw(DIMS, seed=2)
    start, stop = {"same": (start, start), "opposite": (start, -2 * start), "from the origin": (0 * start, stop)}.get(
        case, (start, stop)
    )
    expected = way(start, stop, 5)
    found = [call(name, start, stop, t) for t in np.linspace(0, 1, 5)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_the_nearest_posterior_is_that_of_the_least_mahalanobis_distance(call):
    mean, stddev, z = draw(50, DIMS, seed=3), draw(50, DIMS, seed=4).exp(), draw(DIMS, seed=5)
    distances = (((z - mean) / stddev) ** 2).sum(1).sqrt()
    all_of_them = {"mean": mean.flatten().tolist(), "stddev": stddev.flatten().tolist(), "images": 50}
    found = call("nearestPosterior", z, all_of_them)
    assert found["image"] == distances.argmin()
    assert found["distance"] == pytest.approx(float(distances.min()))
    few = call("nearestPosterior", z, all_of_them | {"images": 2})
    assert few["image"] == distances[:2].argmin()


def test_densities_are_those_of_torch(call):
    mean, stddev, z = draw(DIMS, seed=6), draw(DIMS, seed=7).exp(), draw(DIMS, seed=8)
    assert call("logPosterior", z, mean, stddev) == pytest.approx(
        float(Independent(Normal(mean, stddev), 1).log_prob(z))
    )
    for prior in (StandardNormal(), AR1(delta=2.0, latent_dim=DIMS, steps=3)):
        mean, factor = moments(prior, DIMS)
        found = call("logPrior", z, mean, factor.flatten())
        assert found == pytest.approx(float(prior.log_prob(z.float())), abs=1e-3)
