"""The preview command: the coefficients of a run over its steps, before any training."""

import subprocess
import sys

import pytest


def call(*arguments, cwd):
    command = [sys.executable, "-m", "vae_lab.preview", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


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
        (
            "optimizer.lr_decay=cosin",
            "optimizer.lr_decay=cosin: must be one of none, linear, cosine, step (did",
        ),
        ("epochs=3", "epochs=3: give trainer.max_steps, the data are not loaded here"),
        ("trainer.max_steps=-1", "trainer.max_steps=-1: must be a whole number >= 1"),
    ],
)
def test_mistakes_are_one_line(argument, message, tmp_path):
    done = call(argument, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.splitlines()) == 1
