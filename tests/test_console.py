"""What the commands share: options, and how a command ends."""

import signal
from pathlib import Path

import pytest

from vae_lab.checks import ArgumentError, ConfigError
from vae_lab.config.build import allowed_modules
from vae_lab.console import command, figure_option, read_command_line, read_options


@pytest.mark.parametrize("allow", [["--allow", "my_nets"], ["--allow=my_nets"]])
@pytest.mark.parametrize("flag", [["--config-dir", "mine"], ["--config-dir=mine"], ["-cd", "mine"]])
def test_own_modules_and_settings_are_read_in_either_form(allow, flag, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    line = read_command_line(["model=vae", *allow, *flag, "seed=1"])
    assert (line.modules, line.config_dir, line.flags) == (["my_nets"], Path("mine"), [])
    assert line.overrides == ["model=vae", "seed=1"]
    assert line.shared == ["--allow=my_nets", "--config-dir=mine"]


def test_a_flag_of_hydra_keeps_its_value():
    line = read_command_line(["--cfg", "job", "-m", "experiment=smoke"])
    assert (line.flags, line.overrides) == (["--cfg", "job", "-m"], ["+experiment=smoke"])


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [(["--allow"], "--allow"), (["--allow=a b"], "--allow"), (["--config-dir"], "--config-dir")],
)
def test_a_shared_option_without_a_value_is_refused(arguments, argument):
    with pytest.raises(ConfigError) as caught:
        read_command_line(arguments)
    assert caught.value.argument == argument


def test_options_are_read_over_their_defaults():
    assert read_options(["k=3"], {"run": "latest", "k": ""}) == {"run": "latest", "k": "3"}
    with pytest.raises(ConfigError, match=r"^rum=x: no such option \(did you mean run\?\); options: run=latest"):
        read_options(["rum=x"], {"run": "latest"})


def test_the_figure_s_file_is_taken_out():
    assert figure_option(["a=1", "figure=x.png"], "default.png") == ("x.png", ["a=1"])
    assert figure_option(["a=1"], "default.png") == ("default.png", ["a=1"])


def run(monkeypatch, main, *arguments):
    """The code with which a command exits, None when it returns."""
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    try:
        command(main, "the usage")
    except SystemExit as stop:
        return stop.code
    return None


def test_help_prints_the_usage_and_runs_nothing(monkeypatch, capsys):
    assert run(monkeypatch, lambda line: 1 / 0, "run=x", "--help") is None
    assert capsys.readouterr().out == "the usage\n"


def test_a_mistake_is_one_line(monkeypatch):
    def main(line):
        raise ArgumentError("k", -1, "must be >= 0")

    assert run(monkeypatch, main) == "error: k=-1: must be >= 0"


def test_a_strange_flag_is_refused(monkeypatch):
    assert (
        run(monkeypatch, lambda line: None, "--verbose") == "error: --verbose: no such flag; --help lists what there is"
    )


def test_a_traceback_is_shown_on_demand(monkeypatch):
    def main(line):
        raise ArgumentError("k", -1, "must be >= 0")

    monkeypatch.setattr("sys.argv", ["command"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ArgumentError):
        command(main, "the usage")


def test_an_interrupt_exits_with_130_and_puts_the_handler_back(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGINT)
    assert run(monkeypatch, lambda line: signal.raise_signal(signal.SIGINT)) == 130
    assert capsys.readouterr().err.startswith("interrupted")
    assert signal.getsignal(signal.SIGINT) is before


def test_modules_are_allowed_while_the_command_runs(monkeypatch):
    seen = []
    run(monkeypatch, lambda line: seen.extend(allowed_modules()), "--allow", "my_nets")
    assert "my_nets" in seen
    assert "my_nets" not in allowed_modules()
