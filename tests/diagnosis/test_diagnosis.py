"""For each cause a run made to have it, and the diagnosis names it; healthy runs, for which it names none."""

import json
import subprocess
import sys

import pytest

from vae_lab.runs.run import Run
from vae_lab.training.run import execute

STEPS = ("trainer.max_steps=600", "trainer.val_check_interval=60", "metrics.test.nll.k=0")
CAUSES = {
    "averaged": ("averaged", "established", ["model.distortion_reduction=mean"]),
    "averaged, held by free bits": ("averaged", "established", ["+case=averaged_free_bits"]),
    "unit variance": ("variance", "established", ["likelihood=gaussian", "likelihood.variance=1"]),
    "β too large": ("beta", "established", ["model.beta=4"]),
    "β too large for a Gaussian": ("beta", "established", ["model.beta=20", "likelihood=gaussian"]),
    "β too large after a warm-up": ("beta", "established", ["model.beta=6", "annealing=linear", "annealing.steps=300"]),
    "β too large for a learnt σ²": ("beta", "established", ["model.beta=12", "likelihood=gaussian_learned"]),
    "too short": ("short", "likely", ["optimizer.lr=1e-5"]),
    "20 steps": ("short", "likely", ["trainer.max_steps=20", "trainer.val_check_interval=10"]),
    "β near the limit": ("near", "likely", ["model.beta=2.95", "optimizer=sgd", "optimizer.lr=1e-3"]),
    "unended schedule": (
        "schedule",
        "established",
        ["annealing=linear", "annealing.steps=900", "optimizer.lr=1e-5", "trainer.max_steps=200"],
    ),
    "diverged": ("learning_rate", "likely", ["optimizer.lr=10"]),
    "overflowing at once": (
        "overflow",
        "established",
        ["data=gaussian", "data.eigenvalues=[1e9,1e8,1e7]", "likelihood=gaussian"],
    ),
}
HEALTHY = {
    "summed": [],
    "warm-up": ["annealing=linear", "annealing.steps=300"],
    "two dimensions": ["model.latent_dim=2"],
    "sixteen dimensions": ["model.latent_dim=16"],
    "learnt variance": ["likelihood=gaussian_learned"],
    "Gaussian": ["likelihood=gaussian"],
    "below the limit of a learnt σ²": ["likelihood=gaussian_learned", "model.beta=6"],
    "linear, near the limit": ["+experiment=linear_oracle", "model.beta=11", "optimizer.lr=0.01"],
    "low β": ["model.beta=0.5"],
    "δ": ["model=delta_vae"],
    "BN": ["model=bn_vae"],
    "free bits": ["free_bits=dimension"],
}


def diagnosis_of(config, directory):
    return Run(directory, execute(config, directory, {})).diagnosis


@pytest.mark.parametrize(("kind", "certainty", "overrides"), CAUSES.values(), ids=CAUSES.keys())
def test_names_the_cause(kind, certainty, overrides, compose_config, tmp_path):
    found = diagnosis_of(compose_config(*STEPS, *overrides), tmp_path)
    assert (found.cause.kind, found.cause.certainty) == (kind, certainty), found


@pytest.mark.parametrize("overrides", HEALTHY.values(), ids=HEALTHY.keys())
def test_names_no_cause_for_a_healthy_run(overrides, compose_config, tmp_path):
    found = diagnosis_of(compose_config(*STEPS, *overrides), tmp_path)
    assert found.cause.kind == "none", found
    assert found.cause.words.startswith("not collapsed")


def test_a_decoder_that_reads_pixels_is_a_likely_cause(compose_config, tmp_path):
    overrides = ("+experiment=remedies", "trainer.max_steps=200", "trainer.val_check_interval=40")
    found = diagnosis_of(compose_config(*overrides), tmp_path)
    assert (found.cause.kind, found.cause.certainty) == ("autoregressive", "likely"), found
    assert "spectrum" not in dict(found.checks)  # its theory is of decoders that read z alone


@pytest.mark.parametrize(("gamma", "kind"), [(10, "none"), (1000, "floor")])
def test_a_capacity_starves_nothing_but_may_drown_the_distortion(gamma, kind, compose_config, tmp_path):
    settings = ("annealing=capacity", f"annealing.gamma={gamma}", "annealing.steps=300")
    found = diagnosis_of(compose_config(*STEPS, *settings), tmp_path)
    assert found.cause.kind == kind, found
    assert f"price -{gamma} (the rate is below its target and is pulled up)" in dict(found.checks)["effective β"]
    assert found.cause.change == ({"annealing.gamma": 10.0} if kind == "floor" else {})


@pytest.mark.parametrize("seed", [0, 1])
def test_annealing_leaves_the_collapsed_state_where_a_constant_weight_did_not(seed, compose_config, tmp_path):
    eigenvalues = ",".join(f"{1.25 * i**-1.5:.5f}" for i in range(1, 401))  # a linear limit of 25
    data = ("data=gaussian", f"data.eigenvalues=[{eigenvalues}]", "data.size=500", "data.batch_size=64")
    slow = ("likelihood=gaussian", "model.beta=20", "optimizer=sgd", "optimizer.lr=1e-3", f"seed={seed}")
    settings = (*STEPS, *data, *slow, "model.latent_dim=8")
    cause = diagnosis_of(compose_config(*settings), tmp_path / "constant").cause
    assert (cause.kind, cause.change) == ("near", {"annealing": "linear", "annealing.steps": 300})
    annealed = (f"{key}={value}" for key, value in cause.change.items())
    assert diagnosis_of(compose_config(*settings, *annealed), tmp_path / "annealed").cause.kind == "none"


def test_a_distortion_target_that_a_constant_meets_is_named(compose_config, tmp_path):
    settings = ("control=geco", "control.target=40", "control.speed=0.1")
    found = diagnosis_of(compose_config(*STEPS, *settings), tmp_path)
    assert (found.cause.kind, found.cause.certainty) == ("target", "established"), found
    assert found.cause.change["control.target"] < 28


def test_a_decoder_that_does_not_read_z_is_established(compose_config, tmp_path, monkeypatch):
    from vae_lab.networks import MLPDecoder

    forward = MLPDecoder.forward
    monkeypatch.setattr(MLPDecoder, "forward", lambda self, z: forward(self, z * 0))
    found = diagnosis_of(compose_config(*STEPS), tmp_path)
    assert (found.cause.kind, found.cause.certainty) == ("decoder", "established"), found


def test_the_command_to_try_keeps_the_experiment_and_can_be_composed(tmp_path):
    from vae_lab.config.compose import compose_config
    from vae_lab.report.commands import arguments_of, retry

    (tmp_path / ".hydra").mkdir()
    made = ["+experiment=batch_size", "epochs=20", "data.batch_size=512", "seed=0"]
    (tmp_path / ".hydra" / "overrides.yaml").write_text("".join(f"- {o}\n" for o in made))
    words = retry(arguments_of(tmp_path), {"trainer.max_steps": 200}).split()
    assert words[:3] == ["python", "-m", "vae_lab"]
    config = compose_config(words[3:])
    assert (config["trainer"]["max_steps"], config["epochs"], config["model"]["beta"]) == (200, None, 2.0)


def call(*arguments, cwd):
    command = [sys.executable, "-m", "vae_lab.diagnose", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"status": "failed", "reason": "no disk"}, "failed: no disk; there is nothing to diagnose"),
        ({"format": 1}, "result.json has format 1, written by an older vae_lab; this one reads format 2"),
    ],
)
def test_command_says_why_a_run_cannot_be_diagnosed(result, words, tmp_path):
    (tmp_path / "result.json").write_text(json.dumps({"format": 2, "seed": 0, **result}))
    done = call(f"run={tmp_path}", cwd=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (1, f"error: run={tmp_path}: {words}")


def test_command_reads_a_run_and_prints_checks_cause_and_next(trained, tmp_path):
    done = call(f"run={trained}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for words in ("effective β", "spectrum", "shuffle gap", "mutual information", "length"):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.beta=1", "reduction=mean", "pixels=784", "kl=0.0"], "cause (likely): pixels are averaged, not summed"),
        (["reduction=mean", "kl=0", "data=digits"], "cause (likely): pixels are averaged"),
        (["reduction=mean", "kl=0", "likelihood=bernoulli", "data=digits"], "cause (established): pixels are averaged"),
        (["model.beta=0.001", "reduction=mean", "pixels=784", "kl=0"], "cause: not found"),
        (["likelihood=gaussian", "variance=1", "kl=0", "data=digits"], "cause (established): σ² = 1 is too large"),
        (["likelihood=gaussian", "variance=1", "kl=0"], "cause (likely): σ² = 1 is too large"),
        (["model.beta=10", "kl=0", "data=digits"], "cause (likely): β = 10 is too large"),
        (["model.beta=1", "kl=0"], "cause: not found"),
        (["model.beta=1", "kl=9.5"], "only shuffling z between images tells"),
    ],
)
def test_command_judges_a_training_elsewhere(arguments, words, tmp_path):
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["reduction=mean", "kl=0"], "error: pixels: must be given with reduction=mean"),
        (["model.beta=1"], "error: kl: must be given"),
        (["kl=low"], "error: kl=low: must be a finite number >= 0"),
        (["variance=1", "kl=0"], "error: variance=1: needs likelihood=gaussian"),
        (["pixels=100", "kl=0", "data=digits"], "error: pixels=100: the data have 64"),
        (["reduction=max", "kl=0"], "error: reduction=max: must be one of sum, mean"),
        (["run=nowhere"], "error: run=nowhere: no such directory"),
        (["run=x", "k=1"], "error: k: no such option beside run"),
        (["latest"], "error: latest: must be KEY=VALUE"),
        (["kl=0", "data=digit"], "error: data=digit: must be one of"),
    ],
)
def test_command_answers_mistakes_in_one_line(arguments, words, tmp_path):
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(words)
    assert len(done.stderr.strip().splitlines()) == 1
