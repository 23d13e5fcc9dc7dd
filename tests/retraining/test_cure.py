"""The cure: what the diagnosis proposes is tried, until z is in use or nothing is left to try."""

from dataclasses import replace

import pytest

from vae_lab import cure as door
from vae_lab.console import read_command_line
from vae_lab.diagnosis.causes import Cause
from vae_lab.retraining.again import finished_run, train_again
from vae_lab.retraining.cure import Cure, content, cure, in_use, price, proposal, sentences
from vae_lab.runs.setting import Setting

SHORT = ("trainer.max_steps=150", "optimizer.lr=4e-3", "metrics.test.nll.k=0", "~metrics.test.mutual_information_upper")


def silent(line):
    """Say nothing."""


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory):
    """A run on digits whose pixels are averaged."""
    directory = tmp_path_factory.mktemp("collapsed") / "run"
    train_again((*SHORT, "model.distortion_reduction=mean", "model.beta=2"), directory, "run", silent)
    return finished_run(str(directory))


@pytest.fixture(scope="module")
def cured(collapsed):
    return cure(collapsed, seeds=2, say=silent)


def test_averaged_pixels_are_summed(cured):
    (attempt,) = cured.rounds
    words, run = attempt.words, attempt.run
    assert words == "model.distortion_reduction=sum model.beta=1.0"
    assert cured.cured and in_use(run)
    assert [run.result.seed for run in cured.after.runs] == [0, 1]
    assert [run.collapsed for run in cured.before.runs] == [True, True]


def test_every_run_lies_in_the_directory_of_the_one_that_is_cured(cured):
    below = cured.run.directory / "cure"
    places = [run.directory.relative_to(below).as_posix() for run in (*cured.before.runs[1:], *cured.after.runs)]
    after = "model.distortion_reduction=sum,model.beta=1.0"
    assert places == ["before/seed=1", f"{after}/seed=0", f"{after}/seed=1"]


def test_before_and_after_stand_side_by_side(cured):
    table = content(cured)
    assert table.headings == ["", "KL (rate)", "MI", "shuffle gap", "ELBO", "verdicts"]
    assert [row[0] for row in table.rows] == ["before", "after"]
    assert table.rows[0][-1] == "2 full"
    done, cost = sentences(cured)
    assert done == "cured by model.distortion_reduction=sum model.beta=1.0: z is in use in all 2 seeds"
    assert cost.startswith("it gained ") and cost.endswith(" nats of ELBO (medians over the seeds)")


def with_elbo(run, elbo):
    return replace(run, result=replace(run.result, metrics={**run.result.metrics, "test/elbo": elbo}))


@pytest.mark.parametrize(
    ("elbo", "said"), [(-26.0, "it cost 1.00 nats"), (-24.0, "it gained 1.00"), (-25.0, "nothing")]
)
def test_what_it_costs_is_said(elbo, said, cured, collapsed):
    pair = [Setting({}, [with_elbo(collapsed, value)]) for value in (-25.0, elbo)]
    assert said in price(Cure(collapsed, cured.rounds, *pair))


def test_likelihoods_that_do_not_compare_are_not_compared(cured, collapsed):
    other = replace(
        collapsed, result=replace(collapsed.result, objective=replace(collapsed.result.objective, scores="mass"))
    )
    assert "do not compare" in price(Cure(collapsed, cured.rounds, Setting({}, [collapsed]), Setting({}, [other])))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "nothing to propose"),
        ({"seed": "0,1,2"}, "the cause is not found"),
        ({"decoder": "no_such"}, "no run can be made with decoder=no_such"),
        ({"model.beta": 2}, "no run can be made"),  # as it is
    ],
)
def test_where_there_is_nothing_to_try_it_says_so(change, reason):
    found, said = proposal(["model.beta=2"], Cause("unknown", "not found", change=change))
    assert found is None
    assert reason in said


def test_when_nothing_helped_it_says_so(collapsed, monkeypatch):
    stay = Cause("stay", "it does not help", change={"model.beta": 3})
    monkeypatch.setattr("vae_lab.runs.run.Run.cause", property(lambda self: stay))
    found = cure(collapsed, rounds=1, say=silent)
    assert not found.cured
    assert sentences(found) == ["not cured by model.beta=3: 1 round did not help"]


def test_a_run_that_uses_z_needs_none(cured):
    run = cured.after.runs[0].directory
    with pytest.raises(ValueError, match="needs no cure: its decoder uses z"):
        door.main(read_command_line([f"run={run}"]))


def test_the_command_ends_with_the_next_one(cured, capsys):
    door.main(read_command_line([f"run={cured.run.directory}", "seeds=2"]))
    out = capsys.readouterr().out
    assert "z is in use in all 2 seeds" in out
    assert out.splitlines()[-1].startswith("next: python -m vae_lab.evaluate run=")


@pytest.mark.slow
def test_every_collapsed_case_of_zero_kl_is_cured(tmp_path):
    for case in ("averaged", "averaged_free_bits", "unit_variance", "beta_4"):
        train_again(("+experiment=zero_kl", f"+case={case}"), tmp_path / case, case, silent)
        assert cure(finished_run(str(tmp_path / case)), say=silent).cured
