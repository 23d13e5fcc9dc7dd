"""metrics.csv: appended row by row, whole after any crash, cut at a step."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vae_lab.checks import ArgumentError
from vae_lab.runs.curves import CurveFile, read_curves, read_rows

NAMES = st.sampled_from(["train/rate", "val/rate", "coef/kl_weight", 'a, "b"', "β"])
FIGURES = st.dictionaries(NAMES, st.floats(allow_nan=False) | st.integers(-5, 5), min_size=1)
ROWS = st.lists(st.tuples(st.integers(0, 10**6), FIGURES), max_size=6)

in_one_directory = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(directory, rows):
    (directory / "metrics.csv").unlink(missing_ok=True)
    file = CurveFile(directory)
    for step, figures in rows:
        file.append(step, figures)
    return directory / "metrics.csv"


def filled(rows):
    """The rows as the reader gives them, without empty cells."""
    return [{name: text for name, text in row.items() if text} for row in rows]


def as_text(rows):
    return [{"step": str(step)} | {name: str(value) for name, value in figures.items()} for step, figures in rows]


@in_one_directory
@given(rows=ROWS)
def test_rows_come_back(tmp_path, rows):
    path = write(tmp_path, rows)
    assert filled(read_rows(path)[1]) == as_text(rows)
    curves = read_curves(tmp_path)
    for name in {name for _, figures in rows for name in figures}:
        there = [(step, float(figures[name])) for step, figures in rows if name in figures]
        assert list(zip(*curves[name], strict=True)) == there


@in_one_directory
@given(rows=ROWS, data=st.data())
def test_any_prefix_of_the_bytes_reads_as_a_prefix_of_the_rows(tmp_path, rows, data):
    path = write(tmp_path, rows)
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    found = filled(read_rows(path)[1])
    assert found == as_text(rows)[: len(found)]


@in_one_directory
@given(rows=ROWS, data=st.data())
def test_a_file_that_a_crash_cut_is_continued(tmp_path, rows, data):
    path = write(tmp_path, rows)
    content = path.read_bytes() if path.exists() else b""
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    kept = filled(read_rows(path)[1])
    CurveFile(tmp_path).append(7, {"train/rate": 0.5})
    assert filled(read_rows(path)[1]) == [*kept, {"step": "7", "train/rate": "0.5"}]


@in_one_directory
@given(rows=ROWS, step=st.integers(0, 10**6))
def test_cut_drops_the_rows_beyond_a_step(tmp_path, rows, step):
    path = write(tmp_path, rows)
    file = CurveFile(tmp_path)
    file.cut(step)
    file.append(step, {"val/rate": 1.0})
    expected = [*as_text([row for row in rows if row[0] <= step]), {"step": str(step), "val/rate": "1.0"}]
    assert filled(read_rows(path)[1]) == expected


def test_a_row_is_on_disk_at_once_and_the_table_is_wide(tmp_path):
    file = CurveFile(tmp_path)
    file.append(0, {"train/rate": 1.5})
    file.append(4, {"val/rate": 2.5})
    text = (tmp_path / "metrics.csv").read_text()
    assert text == "step,train/rate,val/rate\n0,1.5,\n4,,2.5\n"


def test_a_crash_while_the_table_is_rewritten_leaves_the_old_one(tmp_path, monkeypatch):
    file = CurveFile(tmp_path)
    file.append(0, {"a": 1.0})

    def crash(*_):
        raise OSError("no power")

    monkeypatch.setattr("os.replace", crash)
    with pytest.raises(OSError, match="no power"):
        file.append(1, {"b": 2.0})
    assert read_curves(tmp_path)["a"] == ([0], [1.0])


def test_a_known_column_costs_no_rewriting(tmp_path, monkeypatch):
    file = CurveFile(tmp_path)
    file.append(0, {"a": 1.0, "b": 1.0})
    monkeypatch.setattr(CurveFile, "rewrite", None)
    file.append(1, {"b": 2.0})
    assert read_curves(tmp_path)["b"].values == [1.0, 2.0]


def test_values_that_are_no_numbers_stay(tmp_path):
    CurveFile(tmp_path).append(0, {"a": math.nan, "b": math.inf})
    curves = read_curves(tmp_path)
    assert math.isnan(curves["a"].values[0])
    assert curves["b"].values == [math.inf]


@pytest.mark.parametrize("name", ["", "a\nb", "a\r", "a\u2028"])
def test_a_name_that_ends_a_line_is_refused(tmp_path, name):
    with pytest.raises(ArgumentError, match="must be a name of one line"):
        CurveFile(tmp_path).append(0, {name: 1.0})


def test_no_file_has_no_curves(tmp_path):
    assert read_curves(tmp_path) == {}
