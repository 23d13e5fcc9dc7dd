"""The preview command: the coefficients of a run over its steps, before any training."""

import subprocess
import sys

import pytest

from vae_lab.config.compose import compose_config
from vae_lab.elbo.schedules import Cosine, Cyclical
from vae_lab.preview import curves


def call(*arguments, cwd):
    command = [sys.executable, "-m", "vae_lab.preview", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_curves_are_those_of_the_run():
    found = curves(compose_config(["annealing=cyclical", "free_bits=growing", "optimizer.lr_decay=cosine"]))
    for step in (0, 1, 130, 499, 500, 1500):
        assert found["coef/kl_weight"](step) == Cyclical(steps=500)(step)
        assert found["coef/free_bits"](step) == pytest.approx(0.25 * min(step / 500, 1))
        assert found["learning rate"](step) == pytest.approx(1e-3 * Cosine(1500, start=1, stop=0)(step))


def test_capacity_is_drawn_in_nats():
    found = curves(compose_config(["annealing=capacity", "annealing.capacity=25", "annealing.steps=100"]))
    assert [found["coef/capacity"](step) for step in (0, 50, 100, 200)] == [0, 12.5, 25, 25]


def test_table_figure_and_next_command(tmp_path):
    done = call("annealing=linear", "annealing.steps=100", "trainer.max_steps=200", "figure=mine.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["0", "0"] in rows
    assert ["50", "0.5"] in rows
    assert ["200", "1"] in rows
    assert (tmp_path / "mine.png").stat().st_size > 10_000
    assert "next: python -m vae_lab annealing=linear annealing.steps=100 trainer.max_steps=200" in done.stdout


def test_a_controller_has_no_curve(tmp_path):
    done = call("control=pi", cwd=tmp_path)
    assert "a controller moves the weight by what it measures" in done.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("annealing=cyclicl", "annealing=cyclicl: must be one of capacity, constant, cosine, cyclical"),
        ("optimizer.lr_decay=cosin", "optimizer.lr_decay=cosin: must be one of none, linear, cosine (did you mean"),
        ("epochs=3", "epochs=3: give trainer.max_steps, the data are not loaded here"),
        ("trainer.max_steps=-1", "trainer.max_steps=-1: must be a whole number >= 1"),
    ],
)
def test_mistakes_are_one_line(argument, message, tmp_path):
    done = call(argument, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.splitlines()) == 1
