"""conf/wandb_sweep.yaml: the commands that wandb's own agent makes of it are commands of this program."""

import itertools
from unittest.mock import Mock

import pytest
import yaml

from vae_lab.config.compose import compose_config
from vae_lab.config.groups import CONF
from vae_lab.console import read_command_line
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.training.loggers.wandb import summary

agent = pytest.importorskip("wandb.wandb_agent")

SWEEP = yaml.safe_load((CONF / "wandb_sweep.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def command_of(tmp_path, monkeypatch):
    """The command that wandb's agent starts for some parameters; nothing is started, and no server is asked."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SWEEP_ID", "a_sweep")
    monkeypatch.setenv("WANDB_RUN_ID", "")
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", "")
    started = []
    monkeypatch.setattr(agent, "AgentProcess", lambda command, **_: started.append(command) or Mock())

    def call(parameters):
        worker = agent.Agent(Mock(), Mock(), "a_sweep")
        worker._sweep_command = list(SWEEP["command"])
        values = {name: {"value": value} for name, value in parameters.items()}
        worker._command_run({"run_id": "a_run", "program": SWEEP["program"], "args": values})
        return started[-1]

    return call


def config_of(command):
    """The config of a command, behind ``python -m vae_lab``."""
    place = command.index("vae_lab")
    assert command[place - 1] == "-m"
    line = read_command_line(command[place + 1 :])
    assert not line.flags
    return compose_config(line.overrides)


def test_each_run_of_the_sweep_composes(command_of):
    names = list(SWEEP["parameters"])
    grid = list(itertools.product(*(SWEEP["parameters"][name]["values"] for name in names)))
    assert len(grid) == 36
    for values in (grid[0], grid[-1]):
        chosen = dict(zip(names, values, strict=True))
        config = config_of(command_of(chosen))
        assert config["model"]["beta"] == chosen["model.beta"]
        assert config["free_bits"]["epsilon"] == chosen["free_bits.epsilon"]
        assert config["model"]["latent_dim"] == chosen["model.latent_dim"]
        assert config["seed"] == chosen["seed"]
        assert config["logger"]["wandb"]["offline"] is False


@pytest.mark.parametrize(
    ("name", "value", "composed"),
    [
        ("model.beta", 1e-05, 1e-05),
        ("encoder.hidden", [128, 64], [128, 64]),
        ("decoder.skip", True, True),
        ("trainer.val_check_interval", "null", None),  # a null is written as a word, in quotes
        ("optimizer.lr_decay", "steps", "steps"),
    ],
)
def test_values_of_every_kind_compose(command_of, name, value, composed):
    group, key = name.split(".")
    assert config_of(command_of({name: value}))[group][key] == composed


def test_a_remedy_is_a_parameter_like_any_other(command_of):
    assert config_of(command_of({"remedy": "delta"}))["model"]["_target_"].endswith("DeltaVAE")


def test_the_metric_is_in_the_summary_of_a_run(trained):
    assert SWEEP["metric"]["name"] in summary(Run(trained, Result.read(trained)))
