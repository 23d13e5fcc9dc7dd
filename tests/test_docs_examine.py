"""Each snippet of docs/examine.md runs, and its report says what the page prints of it."""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parents[1] / "docs" / "examine.md").read_text()
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.S)
SAID = ("Collapse:", "cause", "try,", "  -", "  +", "note:", "CollapseWarning")  # lines that hold no noise of a machine
LIBRARIES = ("pythae", "diffusers", "scvi")


def snippets():
    """Each snippet with what the page prints below it, in order."""
    found = []
    for kind, content in BLOCK.findall(PAGE):
        if kind == "python":
            found.append((content, ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + content)
    return found


def wanted(code):
    return next((name for name in LIBRARIES if f"from {name}" in code), None)


@pytest.fixture(scope="module")
def names():
    """What the snippets have defined so far: they are read from top to bottom."""
    with torch.random.fork_rng():
        yield {}


@pytest.mark.parametrize(("code", "printed"), snippets(), ids=[code.split("\n")[0] for code, _ in snippets()])
def test_a_snippet_runs_and_prints_what_the_page_says(code, printed, names, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    library = wanted(code)
    if library and not find_spec(library):
        pytest.skip(f"{library} is not installed")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(code, names)
    said = capsys.readouterr().out.splitlines()
    said += [f"{one.category.__name__}: {one.message}" for one in caught]
    for line in printed.splitlines():
        if line.startswith(SAID):
            assert any(without_figures(line) == without_figures(other) for other in said), line


def without_figures(line):
    """A line without the digits that another version of torch may round differently."""
    return re.sub(r"-?\d+\.\d+", "#", line)
