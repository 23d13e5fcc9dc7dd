"""The run's record: what is written is read back, and what cannot be read says why in one line."""

import json
import math
import threading

import pytest

from vae_lab.runs.records import RecordError
from vae_lab.runs.result import Objective, Result, Theory

OBJECTIVE = Objective(model="VAE", likelihood="Gaussian", pixels=6, effective_beta=1.0, variance=0.3, spectrum=[4.0])
THEORY = Theory(
    rate_dim=[1.0], distortion=4.0, collapsed=1, squared_error=1.5, variance=0.3, eigenvalues=[4.0], exact=True
)
RESULT = Result(
    status="finished", seed=0, overrides={"model.beta": 4.0, "epochs": None, "encoder.hidden": [7]},
    metrics={"test/rate": 3.0, "test/active_units": 2, "test/rate_dim": [3.0, 0.0]}, verdict="partial", unused=1,
    latent_dim=2, objective=OBJECTIVE, theory=THEORY, checkpoint="best.ckpt", checkpoint_step=1200,
)  # fmt: skip


def test_what_is_written_is_read_back(tmp_path):
    RESULT.write(tmp_path)
    assert Result.read(tmp_path) == RESULT
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_the_checkpoint_is_a_name_and_a_step(tmp_path):
    RESULT.write(tmp_path)
    content = json.loads((tmp_path / "result.json").read_text())
    assert (content["format"], content["checkpoint"], content["checkpoint_step"]) == (2, "best.ckpt", 1200)
    assert content["metrics"]["test/active_units"] == 2


def test_numbers_that_json_lacks_are_null(tmp_path):
    metrics = {"test/elbo": math.nan, "test/loss": math.inf, "test/rate_dim": [-math.inf, 1.0]}
    written = Result(status="diverged", seed=0, metrics=metrics)
    written.write(tmp_path)
    found = Result.read(tmp_path)
    assert found.metrics == {"test/elbo": None, "test/loss": None, "test/rate_dim": [None, 1.0]}
    for result in (written, found):
        assert result.figure("elbo") is result.figure("loss") is result.figure("none") is None
    assert found.figures_by_dimension("rate_dim")[1] == 1.0


def test_figures_are_of_the_test_split():
    assert RESULT.figure("rate") == 3.0
    assert RESULT.figure("rate_dim") is None
    assert RESULT.figures_by_dimension("rate_dim") == [3.0, 0.0]
    assert RESULT.figures_by_dimension("rate") == []


def changed(**entries):
    return {"format": 2, "status": "finished", "seed": 0, **entries}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"status": "finished"}, "result.json has format 1, written by an older vae_lab; this one reads format 2"),
        (changed(format=3), "result.json has format 3, written by a newer vae_lab; this one reads format 2"),
        (changed(seed="zero"), "result.json is broken: Expected `int`, got `str` - at `$.seed`"),
        (changed(status="done"), "result.json is broken: Invalid enum value 'done' - at `$.status`"),
        ({"format": 2, "seed": 0}, "result.json is broken: Object missing required field `status`"),
        ([], "result.json is broken: Expected `object`, got `array`"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, content, message):
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(RecordError) as caught:
        Result.read(tmp_path)
    assert str(caught.value) == message


def test_no_part_of_a_file_reads_as_a_result(tmp_path):
    RESULT.write(tmp_path)
    content = (tmp_path / "result.json").read_bytes().rstrip()
    for size in range(len(content)):
        (tmp_path / "result.json").write_bytes(content[:size])
        with pytest.raises(RecordError, match=r"^result\.json is broken: "):
            Result.read(tmp_path)


def test_no_file_is_said(tmp_path):
    with pytest.raises(RecordError, match=r"^result\.json cannot be read: No such file or directory$"):
        Result.read(tmp_path)


def test_a_reader_never_sees_half_of_it(tmp_path):
    RESULT.write(tmp_path)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            RESULT.write(tmp_path)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert Result.read(tmp_path) == RESULT
    finally:
        stop.set()
        writer.join()
