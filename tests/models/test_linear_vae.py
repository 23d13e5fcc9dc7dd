"""The linear VAE is Gaussian reverse water-filling: rate and distortion at the optimum are known in closed form.

Data and noise are finite sets with exactly the moments that the theory asks for, so that one forward pass gives the
exact expectation and no figure here is an estimate.
"""

import math

import pytest
import torch

from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.elbo.penalties import FreeBitsPenalty
from vae_lab.models import BNVAE, VAE, BetaVAE
from vae_lab.networks import LinearDecoder, LinearEncoder

FLOAT = torch.float64
LAMBDAS = torch.tensor([4, 2, 1, 0.5, 0.2, 0.1], dtype=FLOAT)
SIGMA2, D_DATA, Q = 0.3, 6, 5
IMAGE = (1, 2, 3)
WATER_FILLING = [  # beta, sigma2, rates, squared error
    (1.0, 0.3, [1.2951, 0.9486, 0.6020, 0.2554, 0], 1.5),
    (2.0, 0.3, [0.9486, 0.6020, 0.2554, 0, 0], 2.6),
    (1.0, 5.0, [0, 0, 0, 0, 0], 7.8),
]


def encoder_of(weight, log_variance):
    """Mean W x with W (q, D), or (q,) for a diagonal one."""
    encoder = LinearEncoder(IMAGE, len(log_variance), diagonal=weight.ndim == 1).double()
    encoder.load_state_dict({"weight": weight, "bias": torch.zeros_like(log_variance), "log_variance": log_variance})
    return encoder


def decoder_of(weight):
    """Mean image W z with W (D, q), or (q,) for a diagonal one."""
    decoder = LinearDecoder(IMAGE, weight.shape[-1], diagonal=weight.ndim == 1).double()
    decoder.load_state_dict({"weight": weight, "bias": torch.zeros(D_DATA, dtype=FLOAT)})
    return decoder


def rotation():
    square = torch.randn(D_DATA, D_DATA, generator=torch.Generator().manual_seed(0), dtype=FLOAT)
    return torch.linalg.qr(square).Q


def exact_batch(axes, q=Q):
    """Images and noise: x has covariance axes diag(λ) axesᵀ, noise has covariance I for each x."""
    points = (D_DATA * LAMBDAS).sqrt()[:, None] * axes.T
    points = torch.cat([points, -points])
    noise = q**0.5 * torch.eye(q, dtype=FLOAT)
    noise = torch.cat([noise, -noise])
    x = points.repeat_interleave(len(noise), 0).unflatten(1, IMAGE)
    return x, noise.repeat(len(points), 1)[None]


def optimum(tau, axes, q=Q):
    """Encoder and decoder of the closed form at water level τ."""
    kept = (1 - tau / LAMBDAS[:q]).clamp(min=0)
    variance = torch.where(kept > 0, tau / LAMBDAS[:q], 1.0)
    encoder = encoder_of((kept / LAMBDAS[:q]).sqrt()[:, None] * axes[:, :q].T, variance.log())
    return encoder, decoder_of((kept * LAMBDAS[:q]).sqrt() * axes[:, :q])


def make(encoder, decoder, sigma2, beta=1.0, learned=False):
    parts = {"encoder": encoder, "decoder": decoder, "latent_dim": len(encoder.bias)}
    return BetaVAE(beta=beta, likelihood=Gaussian(sigma2, "learned" if learned else "fixed"), **parts).double()


def squared_error(terms, sigma2, d=D_DATA):
    """E‖x - x̂‖², from the distortion of a Gaussian with variance σ²."""
    return 2 * sigma2 * (terms.distortion.mean().item() - 0.5 * d * math.log(2 * math.pi * sigma2))


def largest_gradient(model, x, noise):
    model.zero_grad()
    model(x, noise).loss.backward()
    return max(p.grad.abs().max().item() for p in model.parameters())


def train(model, x, noise):
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=400, history_size=30, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = model(x, noise).loss
        loss.backward()
        return loss

    optimizer.step(closure)


@pytest.mark.parametrize(("beta", "sigma2", "rates", "error"), WATER_FILLING)
@pytest.mark.parametrize("axes", [torch.eye(D_DATA, dtype=FLOAT), rotation()], ids=["axes", "rotated"])
def test_closed_form_has_the_rates_and_the_error_and_no_gradient(beta, sigma2, rates, error, axes):
    model = make(*optimum(beta * sigma2, axes), sigma2, beta)
    x, noise = exact_batch(axes)
    output = model(x, noise)
    assert output.terms.rate.mean(0).tolist() == pytest.approx(rates, abs=6e-5)
    assert squared_error(output.terms, sigma2) == pytest.approx(error, abs=1e-5)
    assert largest_gradient(model, x, noise) < 1e-5  # log σ² is held in float32


def test_gradient_is_felt_away_from_the_optimum():
    axes = rotation()
    for wrong in (0.9, 1.1):
        model = make(*optimum(wrong * SIGMA2, axes), SIGMA2)
        assert largest_gradient(model, *exact_batch(axes)) > 1e-2


@pytest.mark.parametrize(("beta", "rates", "error"), [(row[0], *row[2:]) for row in WATER_FILLING[:2]])
def test_training_reaches_the_water_level(beta, rates, error):
    axes, generator = rotation(), torch.Generator().manual_seed(1)
    weight = 0.3 * torch.randn(2, Q, D_DATA, generator=generator, dtype=FLOAT)
    model = make(encoder_of(weight[0], torch.zeros(Q, dtype=FLOAT)), decoder_of(weight[1].T), SIGMA2, beta)
    x, noise = exact_batch(axes)
    train(model, x, noise)
    output = model(x, noise)
    assert output.terms.rate.mean(0).sum().item() == pytest.approx(sum(rates), abs=0.02 * sum(rates))
    found = output.terms.rate.mean(0).sort(descending=True).values
    assert found.tolist() == pytest.approx(rates, abs=0.02)
    assert squared_error(output.terms, SIGMA2) == pytest.approx(error, rel=0.01)
    assert (found < 0.02).sum() == Q - (LAMBDAS[:Q] > beta * SIGMA2).sum()  # the number of collapsed dimensions


@pytest.mark.parametrize(("beta", "sigma2"), [(1.0, 0.26667), (1.5, 0.53333)])
def test_learned_variance_settles_where_the_theory_says(beta, sigma2):
    axes, q = rotation(), 3
    exact = LAMBDAS[q:].sum().item() / (D_DATA - q * beta)
    assert exact == pytest.approx(sigma2, abs=5e-6)
    model = make(*optimum(beta * exact, axes, q), exact, beta, learned=True)
    x, noise = exact_batch(axes, q)
    assert largest_gradient(model, x, noise) < 1e-5
    assert squared_error(model(x, noise).terms, exact) == pytest.approx(exact * D_DATA, rel=1e-5)


def test_loss_at_the_optimum_of_probabilistic_pca_is_the_log_likelihood():
    axes, q, sigma2 = rotation(), 3, 0.8 / 3
    model = make(*optimum(sigma2, axes, q), sigma2, learned=True)
    spectrum = torch.cat([LAMBDAS[:q], torch.full((D_DATA - q,), sigma2, dtype=FLOAT)])
    log_likelihood = -0.5 * (D_DATA * math.log(2 * math.pi) + spectrum.log().sum().item() + D_DATA)
    assert -model(*exact_batch(axes, q)).loss.item() == pytest.approx(log_likelihood, abs=1e-6)


def diagonal(rates):
    """The axis-aligned solution that spends ``rates`` (Q,) nats."""
    kept = 1 - (-2 * rates).exp()
    return encoder_of((kept / LAMBDAS[:Q]).sqrt(), -2 * rates), decoder_of((kept * LAMBDAS[:Q]).sqrt())


def nats(model):
    """The loss without the Gaussian's constant: ‖x - x̂‖² / 2σ² + penalty."""
    loss = model(*exact_batch(torch.eye(D_DATA, dtype=FLOAT))).loss.item()
    return loss - 0.5 * D_DATA * math.log(2 * math.pi * SIGMA2)


def test_free_bits_spend_epsilon_or_what_the_data_pay_for():
    epsilon = 0.8
    best = (0.5 * (LAMBDAS[:Q] / SIGMA2).log()).clamp(min=epsilon)
    assert best.tolist() == pytest.approx([1.295, 0.949, 0.8, 0.8, 0.8], abs=5e-4)

    def penalised(rates):
        model = make(*diagonal(rates), SIGMA2)
        model.penalty = FreeBitsPenalty("dimension", epsilon)
        return nats(model)

    assert penalised(best) == pytest.approx(6.382, abs=5e-4)
    for i in range(Q):
        for step in (-0.05, 0.05):
            assert penalised(best + step * torch.eye(Q, dtype=FLOAT)[i]) > penalised(best)


@pytest.mark.parametrize(("beta", "rates", "error"), [(row[0], *row[2:]) for row in WATER_FILLING[:2]])
def test_diagonal_networks_reach_the_water_level_from_their_own_start(beta, rates, error):
    torch.manual_seed(0)
    model = make(LinearEncoder(IMAGE, Q, True), LinearDecoder(IMAGE, Q, True), SIGMA2, beta)
    x, noise = exact_batch(torch.eye(D_DATA, dtype=FLOAT))
    train(model, x, noise)
    output = model(x, noise)
    assert output.terms.rate.mean(0).tolist() == pytest.approx(rates, abs=0.02)  # latent i is pixel i: no sorting
    assert squared_error(output.terms, SIGMA2) == pytest.approx(error, rel=0.01)


def test_bn_vae_spends_what_gamma_asks_for():
    """s² solves λγ²/(σ²(γ²+s²)²) + 1 = 1/s²; rate ½(γ² + s² - 1 - ln s²) in each dimension; total 6.0705 at γ = .6."""
    gamma2, lambdas = 0.36, LAMBDAS[:Q]
    low, high = torch.full_like(lambdas, 1e-9), torch.ones_like(lambdas)
    for _ in range(60):
        middle = (low + high) / 2
        above = lambdas * gamma2 / (SIGMA2 * (gamma2 + middle) ** 2) + 1 > 1 / middle
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    s2 = (low + high) / 2
    encoder = encoder_of(torch.full_like(s2, 1e4), s2.log())  # large means: BatchNorm's eps is nothing to them
    decoder = decoder_of((lambdas * gamma2).sqrt() / (gamma2 + s2))
    parts = {"encoder": encoder, "decoder": decoder, "likelihood": Gaussian(SIGMA2), "latent_dim": Q}
    model = BNVAE(gamma=0.6, **parts).double()
    assert nats(model) == pytest.approx(6.0705, abs=5e-5)
    rate = model(*exact_batch(torch.eye(D_DATA, dtype=FLOAT))).terms.rate.mean(0)
    torch.testing.assert_close(rate, 0.5 * (gamma2 + s2 - 1 - s2.log()), rtol=1e-6, atol=1e-6)
    assert largest_gradient(model, *exact_batch(torch.eye(D_DATA, dtype=FLOAT))) < 1e-5


def test_beta_one_optimum_is_the_vae_s():
    axes = rotation()
    encoder, decoder = optimum(SIGMA2, axes)
    model = VAE(encoder=encoder, decoder=decoder, likelihood=Gaussian(SIGMA2), latent_dim=Q).double()
    assert largest_gradient(model, *exact_batch(axes)) < 1e-5
