"""Override lines made of real groups, keys and values: each is valid, or one line says why not. Nothing is trained."""

import contextlib
import io
import itertools
import os
import sys
import tempfile
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vae_lab.config.groups import entries_of, groups
from vae_lab.config.groups import settings as top_level

SIZES = {"quick": 200, "slow": 10_000}
VALUES = [
    *("-1", "0", "1", "2", "3", "7", "0.5", "-0.0", "1e-30", "1e39", "nan", "inf", "-inf", "99999999999999999999"),
    *("null", "true", "false", "off", "x", "''", "[]", "[1]", "[4,8]", "[x]", "{}", "{a:1}", "{_target_:os.system}"),
    *(
        "1,2",
        "0,0",
        "1,1.0",
        "x,y",
        "range(0,2)",
        "range(2,0)",
        "range(0,4,0)",
        "choice(1,2)",
        "glob(*)",
        "interval(0,1)",
    ),
    *("${seed}", "${nothing}", "${model.beta}", "${", "a b", "γ", "\x1b[2J", "\u202e", "=", ",", "os.system", "../.."),
]
MOST_CHECKS = 4  # of a sweep
PREFIXES = ["", "", "", "", "+", "++", "~"]


@cache
def keys():
    """Every setting of every option, and a few that do not exist."""
    found = [
        f"{group}.{entry}" for group, names in groups().items() for name in names for entry in entries_of(group, name)
    ]
    more = [
        "trainer.foo",
        "model.betta",
        "betta",
        "model",
        "data.path",
        "hydra.run.dir",
        "hydra.sweep.dir",
        "",
        "a.b.c",
    ]
    return sorted({*found, *top_level(), *more})


def line():
    """A command line: group choices, settings, additions, deletions and sweeps."""
    option = st.sampled_from([f"{group}={name}" for group, names in groups().items() for name in names])
    options = st.sampled_from(sorted(groups())).flatmap(
        lambda group: st.lists(st.sampled_from(groups()[group]), min_size=1, max_size=2).map(
            lambda names: f"{group}={','.join(names)}"
        )
    )
    value = st.one_of(st.sampled_from(VALUES), st.text(max_size=4))
    setting = st.builds("{}{}={}".format, st.sampled_from(PREFIXES), st.sampled_from(keys()), value)
    deletion = st.sampled_from(keys()).map("~{}".format)
    override = st.one_of(option, options, setting, setting, setting, deletion)
    return st.tuples(st.sampled_from([[], ["-m"]]), st.lists(override, min_size=1, max_size=4)).map(
        lambda t: t[0] + t[1]
    )


@pytest.fixture
def dry(monkeypatch, tmp_path):
    """The command line with all that comes before the first step, and nothing after it."""
    import torchvision.datasets.utils as downloads
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher

    from vae_lab.cli import main
    from vae_lab.runs.result import Result
    from vae_lab.training import run

    def execute(config, *_, **__):
        run.check(config)
        return Result(status="finished", seed=0)

    def check_a_few(config):
        """Of a large sweep the first jobs: the others differ in what these have shown already."""
        return check(config) if next(checked) < MOST_CHECKS else []

    def offline(*_, **__):
        raise OSError("no network")

    check, checked = run.check, itertools.count()
    monkeypatch.setattr(run, "execute", execute)
    monkeypatch.setattr(run, "check", check_a_few)
    monkeypatch.setattr(BasicLauncher, "launch", lambda *_, **__: [])
    monkeypatch.setattr("vae_lab.report.show.finish", lambda *_: "")
    monkeypatch.setattr("vae_lab.report.show.show_run", lambda *_: None)
    monkeypatch.setattr(downloads, "urlopen", offline, raising=False)
    for module in ("mnist", "cifar"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.download_and_extract_archive", offline)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)

    def start():
        nonlocal checked
        checked = itertools.count()
        main()

    return start


def check_line(main, arguments):
    """Run the command line and check how it ends."""
    out, err = io.StringIO(), io.StringIO()
    argv, folder = sys.argv, os.getcwd()
    with tempfile.TemporaryDirectory() as directory, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["vae_lab", *arguments]
        os.chdir(directory)
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        finally:
            sys.argv = argv
            os.chdir(folder)
    said = err.getvalue()
    assert "Traceback" not in said + out.getvalue()
    if code not in (0, None):
        assert isinstance(code, str), code
        assert code.startswith("error: ")
        assert len(code.splitlines()) == 1
        assert code.isprintable()


COMMON = {"deadline": None, "derandomize": True, "database": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=SIZES["quick"], **COMMON)
@given(arguments=line())
def test_every_line_is_valid_or_one_line_of_error(dry, arguments):
    check_line(dry, arguments)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=SIZES["slow"], **COMMON)
@given(arguments=line())
def test_many_more_lines_are_valid_or_one_line_of_error(dry, arguments):
    check_line(dry, arguments)
