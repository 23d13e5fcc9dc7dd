"""The latents command."""

import shutil
import sys

import pytest

from vae_lab import latents
from vae_lab.console import command


@pytest.fixture
def call(trained, tmp_path, monkeypatch, capsys):
    """Runs ``python -m vae_lab.latents`` in this process, on a copy of a run: what it says, and its complaint."""
    own = tmp_path / "run"
    shutil.copytree(trained, own)

    def call(*arguments, run=own):
        monkeypatch.setattr("sys.argv", ["latents", f"run={run}", *arguments])
        monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
        complaint = ""
        try:
            command(latents.main, latents.USAGE)
        except SystemExit as stop:
            complaint = str(stop.code)
        return capsys.readouterr().out.splitlines(), complaint

    call.run = own
    return call


def test_it_draws_what_is_chosen_and_says_what_comes_next(call):
    said, complaint = call("only=manifold,traversals,rates", "dims=[3,1]", "grid=3", "at=5", "mass=0.8", "steps=3")
    assert complaint == ""
    folder = call.run / "figures"
    assert said[:3] == [f"figure: {folder / name}.png" for name in ("manifold", "traversals", "rates")]
    assert said[-1] == f"next: python -m vae_lab.diagnose run={call.run}"
    assert {file.name for file in folder.iterdir()} == {"manifold.png", "traversals.png", "rates.png"}


def test_what_the_run_measured_of_each_dimension_is_read(call):
    found = latents.measured(call.run)
    assert len(found.gap) == len(found.gap_se) == 4
    assert found.steps == [9, 19]
    assert [len(row) for row in found.rates] == [4, 4]


def test_a_run_without_frames_has_no_film_and_says_how_to_get_one(call):
    said, _ = call("only=film")
    assert "no film: it needs a run with figures=on figures.every=50" in said


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("only=manifol", "only=manifol: must be some of manifold, scatter, pca, "),
        ("dims=a,b", "dims=a,b: must be whole numbers, such as [3,7]"),
        ("dims=[3,9]", "dims=[3,9]: must be 2 of the dimensions 0 to 3"),
        ("grid=x", "grid=x: must be a number"),
        ("grid=1", "grid=1: must be a whole number >= 2"),
        ("mass=2", "mass=2: must be a finite number > 0"),
        ("from=class:77", "from=class:77: no image has that label"),
        ("through=1", "through=1: must name two images or more"),
        ("split=tset", "split=tset: must be one of train, val, test (did you mean test?)"),
        ("checkpoint=bst", "checkpoint=bst: must be one of best, last, previous (did you mean best?)"),
        ("foo=1", "foo=1: no such option"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_drawn(call, argument, message):
    said, complaint = call(argument)
    assert complaint.startswith(f"error: {message}")
    assert len(complaint.splitlines()) == 1
    assert said == []


def test_a_run_without_a_checkpoint_is_refused_in_one_line(call):
    shutil.rmtree(call.run / "checkpoints")
    assert call()[1].startswith(f"error: run={call.run}: has no checkpoint")
    assert call("checkpoint=last")[1].startswith("error: checkpoint=last: ")


def test_without_matplotlib_one_line_says_what_to_install(call, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("vae_lab.gallery")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for name in [name for name in sys.modules if name.startswith("vae_lab.figures.")]:
        monkeypatch.delitem(sys.modules, name)
    assert call()[1] == "error: matplotlib is not installed; pip install 'vae_lab[figures]'"
