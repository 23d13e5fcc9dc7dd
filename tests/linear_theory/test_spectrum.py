"""The linear theory against its fixture, and its local form against the loss of real models."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch

from vae_lab.elbo.likelihoods import Bernoulli, Gaussian
from vae_lab.linear_theory.spectrum import pixelwise, spectrum
from vae_lab.linear_theory.water_filling import water_filling
from vae_lab.models import BetaVAE

EIGENVALUES = np.array([4, 2, 1, 0.5, 0.2, 0.1])
CASES = [
    (1.0, 0.3, [1.2951, 0.9486, 0.6020, 0.2554, 0], 1.5),
    (2.0, 0.3, [0.9486, 0.6020, 0.2554, 0, 0], 2.6),
    (1.0, 5.0, [0, 0, 0, 0, 0], 7.8),
]


@pytest.mark.parametrize(("beta", "variance", "rates", "squared_error"), CASES)
def test_water_filling_fixture(beta, variance, rates, squared_error):
    filled = water_filling(EIGENVALUES / variance, beta, 5)
    assert filled.rates == pytest.approx(rates, abs=5e-5)
    assert filled.squared_error * variance == pytest.approx(squared_error, abs=1e-9)
    assert filled.used == sum(rate > 0 for rate in rates)
    assert filled.rate == pytest.approx(sum(rates), abs=2e-4)


def test_more_latents_than_directions():
    filled = water_filling(EIGENVALUES, 0.01, 9)
    assert filled.rates.shape == (9,)
    assert filled.used == 6


def test_the_array_part_of_the_theory_imports_no_torch():
    modules = ", ".join(f"vae_lab.linear_theory.{name}" for name in ("spectrum", "water_filling", "linear_vae"))
    subprocess.run([sys.executable, "-c", f"import sys, {modules}; assert 'torch' not in sys.modules"], check=True)


def test_diagonal_networks_see_the_pixels_that_have_a_latent():
    x = np.random.default_rng(0).standard_normal((50, 4)) * [1, 3, 2, 9]
    assert pixelwise(x, 3).tolist() == [x.var(0)[i] for i in (1, 2, 0, 3)]


def whitened(n, values, generator):
    """n points whose 1/n covariance has exactly these eigenvalues, in random directions."""
    x = generator.standard_normal((n, len(values)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / n)).T
    q, _ = np.linalg.qr(generator.standard_normal((len(values), len(values))))
    return (x * np.sqrt(values)) @ q


def test_spectrum_of_known_data():
    x = whitened(500, EIGENVALUES, np.random.default_rng(0)) + 3
    assert spectrum(x, np.full(6, 0.3)) == pytest.approx(EIGENVALUES / 0.3, rel=1e-9)


def test_spectrum_is_in_units_of_each_pixel_s_variance():
    x = whitened(500, EIGENVALUES, np.random.default_rng(0))
    scale = np.array([1, 2, 3, 4, 5, 6.0])
    assert spectrum(x * scale, 0.3 * scale**2) == pytest.approx(EIGENVALUES / 0.3, rel=1e-9)


def test_pixels_that_never_change_carry_nothing():
    x = whitened(500, EIGENVALUES, np.random.default_rng(0))
    still = np.concatenate([x, np.full((500, 2), 7.0)], 1)
    assert spectrum(still, np.full(8, 1e-9))[:6] == pytest.approx(EIGENVALUES / 1e-9, rel=1e-9)
    assert spectrum(still, np.full(8, 1e-9))[6:].tolist() == [0, 0]


def slow(images, pixel_variance):
    """All P eigenvalues, from the P × P covariance."""
    x = (images - images.mean(0)) / np.sqrt(pixel_variance)
    return np.linalg.eigvalsh(x.T @ x / len(x))[::-1]


@pytest.mark.parametrize("shape", [(20, 70), (70, 20), (30, 30), (2, 9)])
@pytest.mark.parametrize("block", [50, 10**6])
def test_the_smaller_gram_matrix_has_the_same_eigenvalues(shape, block, monkeypatch):
    monkeypatch.setattr("vae_lab.linear_theory.spectrum.BLOCK", block)
    rng = np.random.default_rng(1)
    images, variance = rng.random(shape) ** 3 + 5, rng.random(shape[1]) + 0.5
    assert spectrum(images, variance) == pytest.approx(slow(images, variance), rel=1e-9, abs=1e-12)
    assert spectrum(images.astype(np.float32), variance) == pytest.approx(slow(images, variance), rel=1e-4, abs=1e-5)


def test_of_large_data_the_first_eigenvalues_and_the_sum_are_right(monkeypatch):
    monkeypatch.setattr("vae_lab.linear_theory.spectrum.ALL", 50)
    monkeypatch.setattr("vae_lab.linear_theory.spectrum.FIRST", 8)
    images = whitened(400, 4.0 / np.arange(1, 121) ** 0.7, np.random.default_rng(2)) @ np.eye(120, 150)
    exact, found = slow(images, np.ones(150)), spectrum(images, np.ones(150), first=20)
    assert found.shape == exact.shape
    assert found[:20] == pytest.approx(exact[:20], rel=1e-3)
    assert found.sum() == pytest.approx(exact.sum(), rel=1e-5)
    assert (np.diff(found) <= 0).all()
    assert found[20:120].std() == pytest.approx(0, abs=1e-12)  # the mean of the rest


def test_images_of_many_pixels_take_neither_their_covariance_nor_a_copy_in_float64():
    images = np.random.default_rng(0).random((40, 200_000), dtype=np.float32)  # the covariance would take 320 GB
    tracemalloc.start()
    values = spectrum(images, np.ones(200_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6
    assert values.sum() == pytest.approx(images.var(0, dtype=np.float64).sum(), rel=1e-9)
    assert (values > 1e-9).sum() == 39


class Direction(torch.nn.Module):
    """Encoder μ = a u·(x - m) with a constant variance."""

    def __init__(self, mean, direction, gain, variance):
        super().__init__()
        self.mean, self.direction, self.gain, self.variance = mean, direction, gain, variance

    def forward(self, x):
        location = self.gain * (x - self.mean).flatten(1) @ self.direction[:, None]
        return location, torch.full_like(location, float(np.log(self.variance)))


class Answer(torch.nn.Module):
    """Decoder b + w z."""

    def __init__(self, bias, direction, shape):
        super().__init__()
        self.bias, self.direction, self.shape = bias, direction, shape

    def forward(self, z):
        return (self.bias + z * self.direction).unflatten(1, self.shape)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("factor", [0.8, 0.95, 1.05, 1.25])
def test_the_collapsed_state_is_stable_just_when_beta_exceeds_the_first_eigenvalue(likelihood, factor):
    """Take the best infinitesimal step out of the collapsed state: the exact loss falls for β < e_1 and rises above."""
    from sklearn.datasets import load_digits

    x = torch.from_numpy(load_digits().images / 16).double().unsqueeze(1)
    x = x[:, :, :, x.flatten(0, 2).std(0) > 0.05]
    shape, flat = tuple(x.shape[1:]), x.flatten(1)
    keep = flat.std(0) > 0.05
    flat = flat[:, keep]
    x, shape = flat.reshape(len(flat), 1, 1, -1), (1, 1, int(keep.sum()))
    model_of = Bernoulli() if likelihood == "bernoulli" else Gaussian(0.05)
    mean = flat.mean(0)
    variance = model_of.pixel_variance(mean).double()
    centred = flat - mean
    whitened_covariance = (centred.T @ centred / len(flat)) / torch.outer(variance.sqrt(), variance.sqrt())
    values, vectors = torch.linalg.eigh(whitened_covariance)
    e1, v = values[-1], vectors[:, -1]
    assert spectrum(flat.numpy(), variance.numpy())[0] == pytest.approx(float(e1), rel=1e-9)

    beta, step = factor * float(e1), 0.02
    direction = step * (v / variance.sqrt() if likelihood == "bernoulli" else v * variance.sqrt())
    gain = step / (step**2 + beta)  # maximises the second-order gain
    bias = torch.logit(mean) if likelihood == "bernoulli" else mean

    def loss(scale):
        encoder = Direction(mean.view(shape), v / variance.sqrt(), gain * scale, beta / (beta + scale**2 * step**2))
        model = BetaVAE(
            encoder=encoder, decoder=Answer(bias, direction * scale, shape), likelihood=model_of, latent_dim=1
        )
        model.beta.fill_(beta)
        noise = torch.ones(1, len(x), 1, dtype=torch.float64)
        with torch.no_grad():  # the mean over ±1 noise is exact to the order that decides
            return float((model.double()(x, noise).loss + model(x, -noise).loss) / 2)

    change = loss(1.0) - loss(0.0)
    assert change < 0 if factor < 1 else change > 0
