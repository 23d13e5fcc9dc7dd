"""A search by Optuna: its runs are ordinary runs, and whatever interrupts it changes nothing that it suggests."""

import copy
import csv
import json
import shlex
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

from vae_lab.config.names import override_values
from vae_lab.runs.result import Result
from vae_lab.runs.sweep import Sweep, SweepRecord
from vae_lab.sweep.context import SweepContext
from vae_lab.sweep.local import name_of

optuna = pytest.importorskip("optuna")

SEARCH = ("-m", "hydra/sweeper=optuna", "hydra/launcher=basic", "hydra.sweeper.at_once=2", "hydra.sweep.dir=s")
BETA = ("model.beta=interval(0,4)",)
TWO = "hydra.sweeper.objectives={test/rate: minimize, test/distortion: minimize}"


def figures(beta, seed=0):
    """Those of a run whose ELBO is best at β = 1."""
    rate = max(4 - beta, 0.0)
    distortion = 10 + beta + (beta - 1) ** 2 + 0.01 * seed
    found = {"elbo": -rate - distortion, "rate": rate, "distortion": distortion, "shuffle_gap": 1.0}
    return {f"test/{name}": value for name, value in {**found, "mutual_information": rate}.items()}


class Training:
    """A launcher whose runs cost nothing: their figures follow from β, and what a test asks for happens to them."""

    def __init__(self, sweep):
        self.sweep = sweep
        self.began = []
        self.happens = {}  # to the run of this position, counted from 0

    def launch(self, job_overrides, initial_job_idx):
        for job in job_overrides:
            self.run(name_of(job), override_values(job))

    def run(self, name, overrides):
        happens = self.happens.pop(len(self.began), None)
        self.began.append(name)
        beta, seed = overrides["model.beta"], overrides.get("seed", 0)
        directory = Path(self.sweep()) / name
        directory.mkdir(exist_ok=True)
        result = Result(
            status="finished", seed=seed, overrides=overrides, metrics=figures(beta, seed), verdict="none",
            latent_dim=4, steps=10, seconds=0.1, started="2026",
        )  # fmt: skip
        if happens == "interrupt":
            signal.raise_signal(signal.SIGINT)
        if happens in ("failed", "diverged"):
            result = replace(result, status=happens, reason="because", metrics={}, verdict=None)
        result.write(directory)


@pytest.fixture
def training(monkeypatch):
    """The launcher of the searches of a test, which compose each choice of groups only once."""
    Plugins.instance()  # which loads the modules of plugins anew
    real, composed = SweepContext.compose, {}

    def compose(self, overrides):
        made.sweep = lambda: self.config.hydra.sweep.dir
        parts = [o for o in overrides if "." not in o.partition("=")[0]]
        base = composed.setdefault((made.sweep(), *parts), None) or real(self, parts)
        composed[made.sweep(), *parts] = base
        config = copy.deepcopy(base)
        for override in OverridesParser.create().parse_overrides([o for o in overrides if o not in parts]):
            OmegaConf.update(config, override.get_key_element(), override.value(), force_add=True)
        return config

    made = Training(lambda: "")
    monkeypatch.setattr(SweepContext, "compose", compose)
    monkeypatch.setattr("vae_lab.sweep.optuna_search.launcher_for", lambda *about: made)
    monkeypatch.setattr("vae_lab.report.show.write_pictures", lambda sweep, folder: "")
    return made


def rows(sweep):
    with (sweep / "summary.csv").open() as file:
        return list(csv.DictReader(file))


def states(sweep):
    from vae_lab.sweep.optuna_study import open_study

    study = open_study(sweep, SweepRecord.read(sweep).search)
    return [trial.state.name for trial in study.trials]


def test_a_search_finds_the_best_value_and_says_so(cli, tmp_path, training):
    done = cli(*SEARCH, *BETA, "hydra.sweeper.trials=25")
    assert done.code == 0, done.err
    assert "25 trials by tpe, 2 at once, to maximize test/elbo, over model.beta" in done.out
    best = max(rows(tmp_path / "s"), key=lambda row: float(row["test/elbo"]))
    assert abs(float(best["model.beta"]) - 1) < 0.3
    assert [row["run"] for row in rows(tmp_path / "s") if row["best"] == "True"] == [best["run"]]
    assert f"Best test/elbo (maximize): {float(best['test/elbo']):.4g} at beta={best['model.beta']}." in done.out
    assert done.out.splitlines()[-1].endswith("seed=1,2,3")
    assert "A search keeps what did well on one test split" in done.out
    record = SweepRecord.read(tmp_path / "s")
    assert (record.jobs, record.swept, record.search.trials) == (training.began, ["model.beta"], 25)
    assert "What the search found" in (tmp_path / "s" / "report.html").read_text()


def test_several_objectives_give_a_pareto_front(cli, tmp_path, training):
    done = cli(*SEARCH, *BETA, "hydra.sweeper.trials=12", TWO)
    assert done.code == 0, done.err
    found = [(float(row["test/rate"]), float(row["test/distortion"]), row["front"]) for row in rows(tmp_path / "s")]
    for rate, distortion, marked in found:
        beaten = any(r <= rate and d <= distortion and (r, d) != (rate, distortion) for r, d, _ in found)
        assert marked == str(not beaten)
    assert "12 settings lie on the Pareto front of test/rate (minimize), test/distortion (minimize)" in done.out


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 13), ("nsga2", 7), ("random", 5)])
def test_a_search_that_was_interrupted_ends_like_one_that_was_not(cli, tmp_path, training, sampler, trials):
    settings = (
        f"hydra.sweeper.trials={trials}",
        f"hydra.sweeper.sampler={sampler}",
        TWO,
        "model.latent_dim=range(2,5)",
    )
    whole = cli(*SEARCH, *BETA, *settings, "hydra.sweep.dir=whole")
    assert whole.code == 0, whole.err
    jobs, training.began = training.began, []
    training.happens = {trials - 2: "interrupt"}
    stopped = cli(*SEARCH, *BETA, *settings)
    assert (stopped.code, stopped.out.splitlines()[-1]) == (
        130,
        "to go on: python -m vae_lab hydra/launcher=basic -m resume=s",
    )
    file = tmp_path / "s" / "optuna.log"
    asked = '{"op_code":4,"worker_id":"killed","study_id":0,"datetime_start":"2026-11-24T15:00:00+00:00"}\n'
    file.write_text(file.read_text() + asked + '{"op_code":5,"wor')  # killed while it was suggesting
    done = cli("-m", "resume=s", "hydra/launcher=basic")
    assert done.code == 0, done.err
    assert done.out.startswith(f"search in s: {trials - 2} runs have ended and are kept; {trials} trials in all\n")
    assert len(training.began) == len(jobs) + 1  # the one that was interrupted
    assert rows(tmp_path / "s") == rows(tmp_path / "whole")
    assert SweepRecord.read(tmp_path / "s").jobs == SweepRecord.read(tmp_path / "whole").jobs


def test_failed_and_diverged_trials_are_told_as_failed_and_failed_ones_go_on(cli, tmp_path, training):
    training.happens = {1: "failed", 2: "diverged"}
    done = cli(*SEARCH, *BETA, "hydra.sweeper.trials=4")
    assert (done.code, "1 of 4 runs failed" in done.err) == (1, True)
    assert states(tmp_path / "s") == ["COMPLETE", "FAIL", "FAIL", "COMPLETE"]
    broken = training.began[1]
    done = cli("-m", "resume=s", "hydra/launcher=basic")
    assert done.code == 0, done.err
    assert training.began[4:] == [broken]
    assert states(tmp_path / "s") == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE"]
    assert cli("-m", "resume=s", "hydra/launcher=basic").code == 0
    assert len(training.began) == 5


def test_fail_fast_ends_a_search(cli, training):
    training.happens = {2: "failed"}
    done = cli(*SEARCH, *BETA, "hydra.sweeper.trials=8", "fail_fast=true")
    assert (done.code, "fail_fast=true ended the sweep there" in done.err) == (1, True)
    assert len(training.began) == 4


def test_a_setting_that_is_suggested_again_is_not_run_twice(cli, tmp_path, training):
    assert cli(*SEARCH, "model.beta=choice(0.5,1)", "hydra.sweeper.trials=6").code == 0
    assert sorted(training.began) == ["model.beta=0.5", "model.beta=1"]
    assert states(tmp_path / "s") == ["COMPLETE"] * 6


def test_several_seeds_make_one_trial(cli, tmp_path, training):
    done = cli(*SEARCH, *BETA, "seed=0,1,2", "hydra.sweeper.trials=3")
    assert done.code == 0, done.err
    assert len(training.began) == 9
    (best,) = {row["model.beta"] for row in rows(tmp_path / "s") if row["best"] == "True"}
    beta = float(best)
    assert f"Best test/elbo (maximize): {figures(beta, seed=1)['test/elbo']:.4g} at beta={best}." in done.out


def test_a_search_is_made_longer(cli, tmp_path, training):
    assert cli(*SEARCH, *BETA, "hydra.sweeper.trials=4").code == 0
    done = cli("-m", "resume=s", "hydra/launcher=basic", "hydra.sweeper.trials=6")
    assert done.code == 0, done.err
    longer, training.began = training.began, []
    assert cli(*SEARCH, *BETA, "hydra.sweeper.trials=6", "hydra.sweep.dir=whole").code == 0
    assert longer == training.began
    assert SweepRecord.read(tmp_path / "s").search.trials == 6


def test_what_differs_when_a_search_goes_on_is_refused(cli, tmp_path, training):
    cli(*SEARCH, *BETA, "hydra.sweeper.trials=2")
    before = (tmp_path / "s" / "optuna.log").read_text()
    for argument, message in {
        "hydra.sweeper.seed=1": "hydra.sweeper.seed=1: was 0 when the search began",
        "hydra.sweeper.sampler=random": "hydra.sweeper.sampler=random: was tpe",
        "hydra.sweeper.at_once=3": "hydra.sweeper.at_once=3: was 2",
        "hydra.sweeper.objectives={test/rate: minimize}": "hydra.sweeper.objectives={'test/rate': 'minimize'}: was",
        "model.beta=interval(0,9)": "model.beta=interval(0,9): a search keeps its space and its settings",
        "model.latent_dim=3": "model.latent_dim=3: a search keeps its space and its settings",
    }.items():
        done = cli("-m", "resume=s", argument)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert done.err.startswith(f"error: {message}")
    assert (tmp_path / "s" / "optuna.log").read_text() == before


MISTAKES = {
    "objective's way": (
        ["hydra.sweeper.objectives={test/elbo: up}"],
        "hydra.sweeper.objectives.test/elbo=up: must be one of minimize, maximize",
    ),
    "sampler": (["hydra.sweeper.sampler=tpee"], "hydra.sweeper.sampler=tpee: must be one of tpe, nsga2, random"),
    "trials": (["hydra.sweeper.trials=0"], "hydra.sweeper.trials=0: must be a whole number >= 1"),
    "setting": (["hydra.sweeper.trails=3"], "hydra.sweeper.trails=3: "),
    "key": (["model.betta=interval(0,1)"], "model.betta=0.0: model=beta_vae has no betta"),
    "end of an interval": (["model.latent_dim=int(interval(0,4))"], "model.latent_dim=0: must be a whole number >= 1"),
    "choice": (["model=choice(vae,nope)"], "model=nope: must be one of "),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_search_that_cannot_be_is_refused_before_it_begins(cli, tmp_path, arguments, message):
    done = cli(*SEARCH, "model.latent_dim=range(2,4)", *arguments)
    assert (done.code, len(done.err.splitlines())) == (1, 1)
    assert done.err.startswith(f"error: {message}")
    assert not (tmp_path / "s").exists()


def test_an_objective_that_no_run_has_is_one_line(cli, training):
    done = cli(*SEARCH, *BETA, "hydra.sweeper.objectives={test/elb: maximize}")
    assert (done.code, len(training.began)) == (1, 2)
    assert done.err.startswith(
        "error: hydra.sweeper.objectives=test/elb: is no figure of result.json (did you mean test/elbo?)"
    )


def test_without_optuna_one_line_says_what_to_install(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("vae_lab.config.extras.find_spec", lambda name: None)
    done = cli(*SEARCH, *BETA)
    assert done.err == 'error: hydra/sweeper=optuna: is not installed: pip install "vae_lab[optuna]"'
    assert not (tmp_path / "s" / "sweep.json").exists()


def test_a_storage_that_does_not_fit_its_sweep_decides_nothing(cli, tmp_path, training):
    cli(*SEARCH, *BETA, "hydra.sweeper.trials=2")
    training.happens = {len(training.began): "interrupt"}
    cli("-m", "resume=s", "hydra/launcher=basic", "hydra.sweeper.trials=4")
    file = tmp_path / "s" / "optuna.log"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[-1]["user_attr"]["runs"] = ["../elsewhere"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cli("-m", "resume=s", "hydra/launcher=basic")
    assert done.err == "error: s/optuna.log: trial 3 has other runs than its setting"
    file.write_text("{}\n")
    assert cli("-m", "resume=s").err == "error: s/optuna.log: cannot be read as a storage of Optuna"


def test_a_real_search_of_two_trials(cli, tmp_path):
    short = ("trainer.max_steps=4", "trainer.val_check_interval=4", "metrics.test.nll.k=0")
    done = cli(*SEARCH, "model.beta=tag(log, interval(0.1,10))", "hydra.sweeper.trials=2", TWO, *short)
    assert done.code == 0, done.err
    assert [run.status for run in Sweep.read(tmp_path / "s").runs] == ["finished"] * 2
    assert states(tmp_path / "s") == ["COMPLETE"] * 2
    best = max(rows(tmp_path / "s"), key=lambda row: float(row["test/elbo"]))
    next_command = shlex.split(done.out.rpartition("next: ")[2])
    assert {"-m", f"model.beta={best['model.beta']}", "seed=1,2,3"} <= set(next_command)
