"""A run directory as an object: its collapse in words, its diagnosis, what its figures are."""

from dataclasses import replace

import pytest

from vae_lab.runs.curves import CurveFile
from vae_lab.runs.process import Process
from vae_lab.runs.result import Objective, Result
from vae_lab.runs.run import Run
from vae_lab.runs.setting import settings_of

OBJECTIVE = Objective(model="BetaVAE", likelihood="Bernoulli", pixels=64, effective_beta=1.0)


def result(**known):
    return Result(**{"status": "finished", "seed": 0, "verdict": "full", "latent_dim": 4, "unused": 4, **known})


def test_collapse_in_words(tmp_path):
    assert Run(tmp_path, result()).collapse == "full"
    assert Run(tmp_path, result(verdict="partial", unused=3)).collapse == "3 of 4 unused"
    assert Run(tmp_path, result(verdict="none", unused=0)).collapse == "none"
    assert Run(tmp_path, result(status="diverged", verdict=None)).collapse == "diverged"


def test_the_diagnosis_rests_on_the_curves(tmp_path):
    known = result(metrics={"test/rate": 0.01}, objective=OBJECTIVE, steps=400)
    assert Run(tmp_path, known).cause.kind == "unknown"
    file = CurveFile(tmp_path)
    for step, rate, weight in ((200, 4.0, 0.4), (400, 0.01, 1.0)):
        file.append(step, {"val/rate": rate, "coef/kl_weight": weight})
    assert Run(tmp_path, known).cause.kind == "fell"


def test_a_run_that_diverged_has_a_diagnosis_from_its_last_finite_curves(tmp_path):
    known = result(status="diverged", verdict=None, diverged_step=400, objective=OBJECTIVE)
    assert Run(tmp_path, known).cause.kind == "unknown"
    file = CurveFile(tmp_path)
    for step, rate in ((200, 4.0), (375, 1e8), (400, float("nan"))):
        file.append(step, {"train/rate": rate})
    assert Run(tmp_path, known).cause.kind == "overflow"


def test_runs_that_did_not_finish_have_no_diagnosis(tmp_path):
    assert Run(tmp_path, result(objective=None)).diagnosis is None
    assert Run(tmp_path, result(status="failed", objective=OBJECTIVE)).diagnosis is None
    assert Run(tmp_path, result(verdict="none", unused=0, objective=OBJECTIVE)).cause is None


def test_figures_that_are_fields_of_the_result(tmp_path):
    run = Run(tmp_path, result(rate_floor=2.0, linear_rate=1.5, metrics={"test/rate": 3.0}))
    assert [run.figure(name) for name in ("rate", "rate_floor", "linear_rate", "nll")] == [3.0, 2.0, 1.5, None]
    assert Run(tmp_path, result()).figure("rate_floor") is None


def test_a_setting_has_the_cause_on_which_its_seeds_agree(tmp_path):
    short = result(objective=OBJECTIVE, steps=40, unfinished=True, overrides={"seed": 0})
    other = result(objective=OBJECTIVE, overrides={"seed": 1})

    def cause(*results):
        (setting,) = settings_of([Run(tmp_path, one) for one in results], ["seed"])
        return setting.cause

    assert cause(short, short).kind == "short"
    assert cause(short, other) is None
    assert cause(short, result(status="failed")).kind == "short"


def gone():
    return replace(Process.this(), began="another boot/1")


def test_a_run_whose_process_was_killed_has_stopped_at_its_last_step(tmp_path):
    running = result(status="running", verdict=None, process=Process.this())
    CurveFile(tmp_path).append(119, {"train/rate": 1.0})
    assert (Run(tmp_path, running).status, Run(tmp_path, running).reason) == ("running", "at step 120")
    stopped = Run(tmp_path, replace(running, process=gone()))
    assert (stopped.status, stopped.collapse, stopped.ending) == ("stopped", "stopped", "stopped at step 120")
    assert Run(tmp_path, result(status="failed", reason="no disk")).ending == "failed: no disk"


def test_a_run_that_ended_stays_what_it_is_after_its_process_has_gone(tmp_path):
    assert Run(tmp_path, result(process=gone())).status == "finished"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"epoch,val/rate\n1,2.0\n", "metrics.csv has no column step"),
        (b"step,val/rate\n1,2.0\nx,1.0\n", "metrics.csv is broken in line 3: "),
        (b"step,val/rate\n1,2.0,9\n", "metrics.csv is broken in line 2: more values than columns"),
        (b"step,val/rate\n19,2.0\n39,1", "metrics.csv is cut off: it ends at step 20 of 40"),
        (b"\xff\xfe\n", "metrics.csv is broken: UnicodeDecodeError"),
    ],
)
def test_curves_that_cannot_be_read_are_a_problem_and_no_cause_is_claimed(tmp_path, content, problem):
    (tmp_path / "metrics.csv").write_bytes(content)
    run = Run(tmp_path, result(metrics={"test/rate": 0.01}, objective=OBJECTIVE, steps=40))
    assert run.problem.startswith(problem)
    assert (run.diagnosis, run.collapse) == (None, "full")
