"""What the linear theory predicts for a config's own data."""

import numpy as np
import pytest

from vae_lab.checks import ConfigError
from vae_lab.training.prediction import predict

EIGENVALUES = np.array([4, 2, 1, 0.5, 0.2, 0.1])
GAUSSIAN = ("data=gaussian", "model.latent_dim=3", "likelihood.variance=0.5")


def test_eigenvalues_are_those_of_the_data_in_units_of_the_variance():
    prediction = predict(GAUSSIAN)
    np.testing.assert_allclose(prediction.eigenvalues, EIGENVALUES / 0.5, rtol=1e-5)
    assert (prediction.variance, prediction.learned, prediction.latent_dim) == (pytest.approx(0.5), False, 3)
    assert predict([*GAUSSIAN, "likelihood=gaussian_learned"]).learned
    assert not predict(["data=digits", "likelihood=bernoulli"]).learned


def test_a_row_is_the_water_filling_solution():
    row = predict(GAUSSIAN).row(3.0)
    assert (row.directions, row.latents) == (2, 2)  # 8 and 4 lie above 3
    assert row.rate == pytest.approx(0.5 * (np.log(8 / 3) + np.log(4 / 3)), rel=1e-5)
    assert row.squared_error == pytest.approx(1.5 + 1.5 + 1 + 0.5 + 0.2 + 0.1, rel=1e-5)


def test_the_rows_reach_from_all_on_to_all_off():
    rows = predict([*GAUSSIAN, "model.beta=3"]).rows()
    assert [row.beta for row in rows] == sorted(row.beta for row in rows)
    assert 3.0 in [row.beta for row in rows]
    assert (rows[0].latents, rows[-1].directions) == (3, 0)


def test_the_weight_is_the_model_s():
    assert predict([*GAUSSIAN, "model=info_vae", "model.alpha=0.75"]).beta == 0.25
    with pytest.raises(ConfigError, match="needs a rate that costs something; here its weight is 0"):
        predict([*GAUSSIAN, "model=info_vae", "model.alpha=1"])


LEARNED = ("data=gaussian", "model.latent_dim=3", "likelihood=gaussian_learned")


@pytest.mark.parametrize("likelihood", ["gaussian_learned", "gaussian_optimal"])
def test_a_learnt_variance_is_that_of_a_pixel_at_the_collapsed_state(likelihood):
    prediction = predict(
        [*LEARNED, f"likelihood={likelihood}", "likelihood.variance=0.01"]
    )  # where it starts is no matter
    assert prediction.variance == pytest.approx(EIGENVALUES.mean(), rel=2e-3)
    assert prediction.limit == pytest.approx(4 / EIGENVALUES.mean(), rel=2e-3)
    assert prediction.row(prediction.limit * 1.01).latents == 0
    assert prediction.row(prediction.limit * 0.99).latents == 1


@pytest.mark.parametrize(("beta", "variance"), [(1.0, 0.26667), (1.5, 0.53333)])
def test_a_row_has_the_variance_that_is_learnt_at_its_beta(beta, variance):
    row = predict(LEARNED).row(beta)
    assert row.variance == pytest.approx(variance, rel=1e-3)
    assert row.squared_error / 6 == pytest.approx(variance, rel=1e-3)
    assert row.rate == pytest.approx(0.5 * np.log(EIGENVALUES[:3] / (beta * variance)).clip(min=0).sum(), rel=1e-3)


def test_a_variance_that_goes_to_zero_is_said_so():
    row = predict([*LEARNED, "model.latent_dim=6"]).row(0.5)
    assert (row.variance, row.squared_error, row.latents, row.directions) == (0, 0, 6, 6)
    assert np.isinf(row.rate)


def test_the_curve_of_the_figure_reaches_beyond_the_limit():
    curve = predict(LEARNED).curve()
    assert (curve[0].latents, curve[-1].latents) == (3, 0)
    rates = [row.rate for row in curve]
    assert rates == sorted(rates, reverse=True)
