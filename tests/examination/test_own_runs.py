"""Each kind of run of ours, examined from outside through plain functions, gives the figures that its record holds."""

from pathlib import Path

import pytest

import vae_lab
from vae_lab.runs.result import Result
from vae_lab.training.loading import load
from vae_lab.training.run import execute

STEPS = ("trainer.max_steps=60", "trainer.val_check_interval=30", "metrics.test.nll.k=3")


def run_of(compose_config, folder: Path, *overrides: str) -> Result:
    return execute(compose_config(*STEPS, "model.latent_dim=4", *overrides), folder, {})


def agrees(examined: dict, recorded: dict) -> None:
    assert examined.keys() == recorded.keys()
    for name, value in recorded.items():
        found = examined[name]
        pairs = zip(found, value, strict=True) if isinstance(value, list) else [(found, value)]
        for one, other in pairs:
            assert one == pytest.approx(other, rel=2e-4, abs=2e-4, nan_ok=True), name


def same_verdict(examined: Result, recorded: Result) -> None:
    verdicts = [(r.verdict, r.unused, r.latent_dim) for r in (examined, recorded)]
    assert verdicts[0] == verdicts[1]


NETWORKS = ("encoder.hidden=[32]", "decoder.hidden=[32]")
PLAIN = {
    "vae": ("bernoulli", ["model=vae", *NETWORKS]),
    "averaged": ("bernoulli", ["model=vae", "model.distortion_reduction=mean", *NETWORKS]),
    "gaussian": ("gaussian", ["model=beta_vae", "model.beta=4", "likelihood=gaussian", *NETWORKS]),
    "bn_vae": ("bernoulli", ["model=bn_vae", *NETWORKS]),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_a_run_examined_through_plain_functions_gives_its_own_figures(kind, compose_config, tmp_path):
    likelihood, overrides = PLAIN[kind]
    recorded = run_of(compose_config, tmp_path, *overrides)
    model, data = load(tmp_path, with_data=True)
    report = vae_lab.examine(
        data.splits["test"].images,
        encode=model.posterior,
        scale="stddev",
        decode=model.decode,
        likelihood=likelihood,
        variance=recorded.objective.variance,
        beta=float(model.rate_weight()),
        reduction=model.distortion_reduction,
        train=data.training_sample(),
        importance_samples=3,
    )
    agrees(report.result.metrics, recorded.metrics)
    same_verdict(report.result, recorded)
    assert report.result.objective.effective_beta == recorded.objective.effective_beta
    assert report.result.objective.spectrum == pytest.approx(recorded.objective.spectrum, rel=1e-3)


def test_a_prior_and_a_likelihood_of_ours_may_be_given(compose_config, tmp_path):
    parts = ("model=delta_vae", "encoder=anticausal", "likelihood=discretized_logistic", "likelihood.levels=17")
    recorded = run_of(compose_config, tmp_path, *parts)
    model, data = load(tmp_path, with_data=True)
    given = {"prior": model.prior, "likelihood": model.likelihood, "output": "parameters"}
    report = vae_lab.examine(data, encode=model.encode, decode=model.decoder, importance_samples=3, **given)
    samples = "test/sharpness_samples"  # ours draws them from its learnt auxiliary prior
    found, expected = ({**result.metrics, samples: None} for result in (report.result, recorded))
    agrees({**found, samples: 0.0}, {**expected, samples: 0.0})
    same_verdict(report.result, recorded)


def test_a_decoder_that_reads_pixels_is_examined_by_its_distortion(compose_config, tmp_path):
    recorded = run_of(compose_config, tmp_path, "model=vae", "decoder=pixelcnn", "trainer.max_steps=20")
    model, data = load(tmp_path, with_data=True)

    def distortion(z, x):
        return -model.likelihood.log_prob(model.decoder(z, x), x)

    report = vae_lab.examine(
        data, encode=model.encode, distortion=distortion, autoregressive=True, importance_samples=3
    )
    known = {name: value for name, value in recorded.metrics.items() if name != "test/distortion_mean_image"}
    agrees({name: value for name, value in report.result.metrics.items() if name in known}, known)
    same_verdict(report.result, recorded)


def test_a_model_with_more_noise_agrees_up_to_its_noise(compose_config, tmp_path):
    recorded = run_of(compose_config, tmp_path, "model=info_vae", *NETWORKS)
    model, data = load(tmp_path, with_data=True)
    report = vae_lab.examine(
        data, encode=model.encode, decode=model.decode, likelihood="bernoulli", importance_samples=0
    )
    same_verdict(report.result, recorded)
    assert report.figures["rate_dim"] == pytest.approx(recorded.metrics["test/rate_dim"], rel=1e-4)
    assert report.figures["elbo"] == pytest.approx(recorded.metrics["test/elbo"], abs=0.3)
