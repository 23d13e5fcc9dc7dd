"""The probe on runs of which the answer is known."""

import re
import sys
from pathlib import Path

import pytest

from vae_lab.checks import ArgumentError
from vae_lab.config.build import allowing
from vae_lab.diagnosis.causes import ESTABLISHED
from vae_lab.report.commands import arguments_of
from vae_lab.retraining.again import finished_run, train_again
from vae_lab.retraining.probe import continuation, probe, verdict_of
from vae_lab.runs.curves import Curve
from vae_lab.runs.find import find_run
from vae_lab.runs.probe import Probe
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run

QUICK = ("metrics.test.nll.k=0", "~metrics.test.mutual_information_upper")
LINEAR = (
    *("data=gaussian", "data.eigenvalues=[2,1,0.5]", "data.size=500", "encoder=linear", "decoder=linear"),
    *("likelihood=gaussian", "likelihood.variance=0.3", "model.latent_dim=2", "optimizer.lr=0.03"),
    *("trainer.max_steps=200", *QUICK),
)
CLUSTERS = (
    *("data=clusters", "data.size=960", "data.batch_size=192", "likelihood=gaussian", "likelihood.variance=0.05"),
    *("model.latent_dim=2", "optimizer.lr=5e-3", "trainer.max_steps=240", *QUICK),
)


def silent(line):
    """Say nothing."""


def run_of(directory, *arguments):
    train_again(arguments, directory, "run", silent)
    return finished_run(str(directory))


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    """A run on clusters, whose optimizer falls into the collapsed state."""
    return run_of(tmp_path_factory.mktemp("trapped") / "run", *CLUSTERS)


def test_above_its_threshold_the_objective_of_a_linear_vae_asks_for_collapse(tmp_path):
    run = run_of(tmp_path / "run", *LINEAR, "model.beta=12")
    assert probe(run, say=silent).continuation.outcome == "asked for"
    cause = Run.read(run.directory).cause
    assert (cause.kind, cause.certainty) == ("beta", ESTABLISHED)
    inner = find_run(str(next((run.directory / "probe").glob("*/seed=1"))))
    assert "annealing=exponential" in arguments_of(inner)
    said = []
    again = probe(run, say=said.append)  # what has been trained is kept
    assert again == Probe.read(run.directory)
    assert len(said) == 3


def test_below_its_threshold_there_is_nothing_to_ask(tmp_path):
    run = run_of(tmp_path / "run", *LINEAR, "model.beta=1")
    with pytest.raises(ArgumentError, match=r"did not collapse, so there is nothing to ask"):
        probe(run, say=silent)
    assert not (run.directory / "probe").exists()


def test_on_clusters_training_is_trapped_and_the_spectrum_is_overruled(trapped):
    before = trapped.cause
    assert (before.kind, before.certainty) == ("variance", ESTABLISHED)
    found = probe(trapped, say=silent).continuation
    assert found.outcome == "trapped"
    assert found.gain > 0.5
    cause = Run.read(trapped.directory).cause
    assert (cause.kind, cause.certainty) == ("trapped", ESTABLISHED)
    assert cause.change == {
        **{"annealing": "exponential", "annealing.start": 0.05, "annealing.stop": 1.0, "annealing.steps": 120}
    }


def test_continuations_begin_with_what_was_asked_for(trapped):
    assert continuation(trapped, "beta")["annealing.steps"] == 120
    assert continuation(trapped, "free_bits") == {
        **{"free_bits": "shrinking", "free_bits.epsilon": 3.0, "free_bits.steps": 120}
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"verdict": "partial"}, "did not collapse"),
        ({"steps": 100, "schedule_end": 200}, "ended before its schedule, at step 200"),
        ({"price": -10.0}, "holds the rate by capacity or a controller"),
        ({"kl_weight": 0.0}, "has no weight of the KL"),
    ],
)
def test_runs_of_which_nothing_is_to_be_asked_are_refused(changed, message, trapped):
    from dataclasses import fields, replace

    from vae_lab.retraining.probe import check
    from vae_lab.runs.result import Objective

    own = {key: value for key, value in changed.items() if key in {field.name for field in fields(Objective)}}
    objective = replace(trapped.result.objective, **own)
    rest = {key: value for key, value in changed.items() if key not in own}
    with pytest.raises(ArgumentError, match=message):
        check(replace(trapped, result=replace(trapped.result, objective=objective, **rest)))


@pytest.mark.parametrize(
    ("end", "loss", "verdict"),
    [
        (0.02, 27.0, "full"),  # the best checkpoint has a remnant that buys nothing, the end has none
        (0.02, 20.0, "partial"),  # little information may buy much
        (1.00, 27.0, "partial"),
    ],
)
def test_the_end_of_a_continuation_counts_where_a_remnant_buys_nothing(end, loss, verdict):
    metrics = {"test/loss": loss}
    run = Run(Path(), Result(status="finished", seed=0, verdict="partial", metrics=metrics))
    vars(run)["curves"] = {"val/mutual_information": Curve([10, 20], [2.0, end])}
    assert verdict_of(run, 27.0) == verdict


def test_a_run_without_its_settings_is_refused(trained):
    with pytest.raises(ArgumentError, match=r"has no \.hydra/overrides\.yaml, so its settings are not known"):
        finished_run(str(trained))


@pytest.mark.slow
@pytest.mark.parametrize("first", ["beta", "free_bits"])
def test_beta_4_on_digits_is_what_the_objective_asks_for(first, tmp_path):
    run = run_of(tmp_path / "run", "model.beta=4")
    assert probe(run, first=first, say=silent).continuation.outcome == "asked for"


@pytest.mark.slow
def test_lagging_inference_leaves_the_trap_too(tmp_path):
    slow = ("data=clusters", "likelihood=gaussian", "likelihood.variance=0.05", *QUICK)
    trapped = run_of(tmp_path / "plain", *slow)
    aggressive = run_of(tmp_path / "aggressive", *slow, "inference=aggressive")
    assert trapped.collapsed and not aggressive.collapsed
    assert aggressive.figure("loss") < trapped.figure("loss") - 0.5


PAGE = (Path(__file__).parents[2] / "docs" / "probe.md").read_text()


@pytest.mark.slow
def test_a_decoder_that_was_pretrained_without_z_is_trapped_and_lagging_inference_leaves(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(# pretrained\.py.*?)```", PAGE, re.S)
    (tmp_path / "pretrained.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    arguments = ("data=clusters", "likelihood=gaussian", "likelihood.variance=0.042", *QUICK)
    run_of(tmp_path / "blind", *arguments, "model.beta=100")
    arguments += ("decoder._target_=pretrained.Pretrained", f"+decoder.run={tmp_path / 'blind'}", "--allow=pretrained")
    with allowing(["pretrained"]):
        trapped = run_of(tmp_path / "trapped", *arguments)
        aggressive = run_of(tmp_path / "aggressive", *arguments, "inference=aggressive")
        assert trapped.collapsed and not aggressive.collapsed
        assert aggressive.figure("loss") < trapped.figure("loss") - 0.3
        found = probe(trapped, say=silent).continuation
    sys.modules.pop("pretrained", None)
    assert found.outcome == "trapped" and found.gain > 2
