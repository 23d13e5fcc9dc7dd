"""Neither a config file nor an override runs code through Hydra's own part. Each payload would leave a file behind."""

import sys

import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.config.loader import CheckedLoader, hydra_config

EVIL = """
from pathlib import Path

TRACE = Path(__file__).with_name("trace")
TRACE.touch()  # who imports this is lost already


class Enc:
    def __init__(self, *args, **kwargs):
        TRACE.touch()
"""

FILES = {
    "callback": "hydra: {callbacks: {x: {_target_: evilmod.Enc}}}",
    "callback of hydra": "hydra: {callbacks: {x: {_target_: hydra.experimental.callbacks.PickleJobInfoCallback}}}",
    "torch.load": "hydra: {callbacks: {x: {_target_: torch.load, f: payload.pt, weights_only: false}}}",
    "callbacks elsewhere": "model: {x: {y: {_target_: evilmod.Enc}}}\nhydra: {callbacks: '${model.x}'}",
    "formatter factory": "hydra: {job_logging: {formatters: {simple: {(): evilmod.Enc}}}}",
    "formatter class": "hydra: {job_logging: {formatters: {simple: {class: evilmod.Enc}}}}",
    "handler factory": "hydra: {hydra_logging: {root: {handlers: [x]}, handlers: {x: {(): evilmod.Enc}}}}",
    "handler class": "hydra: {job_logging: {handlers: {file: {class: evilmod.Enc}}}}",
    "handler later": "model: {x: evilmod.Enc}\nhydra: {job_logging: {handlers: {file: {class: '${model.x}'}}}}",
    "filter": "hydra: {job_logging: {filters: {x: {(): evilmod.Enc}}}}",
    "object by name": "hydra: {job_logging: {handlers: {file: {level: 'ext://evilmod.Enc'}}}}",
    "stream": "hydra: {job_logging: {handlers: {file: {class: logging.StreamHandler, stream: 'ext://evilmod.Enc'}}}}",
    "file elsewhere": "hydra: {job_logging: {handlers: {file: {filename: trace}}}}",
    "file above": "hydra: {job_logging: {handlers: {file: {filename: '${hydra.runtime.output_dir}/../../trace'}}}}",
    "file by job name": "hydra: {job: {name: ../../trace}}",
    "launcher": "hydra: {launcher: {_target_: evilmod.Enc}}",
    "launcher within": "hydra: {launcher: {x: {_target_: evilmod.Enc}}}",
    "sweeper": "hydra: {sweeper: {_target_: evilmod.Enc}}",
    "sweeper within": "hydra: {sweeper: {params: {x: {_target_: evilmod.Enc}}}}",
    "sweeper later": "model: {x: {_target_: evilmod.Enc}}\nhydra: {sweeper: {params: '${model.x}'}}",
    "grid of hydra": "hydra: {sweeper: {params: {+hydra.callbacks.x._target_: evilmod.Enc}}}",
    "environment": "hydra: {job: {env_set: {VAE_LAB_ALLOW: evilmod}}}",
    "copied environment": "hydra: {job: {env_copy: [HOME]}}",
    "output": "hydra: {output_subdir: ../../trace}",
}

OVERRIDES = [
    "+hydra.callbacks.x._target_=evilmod.Enc",
    "hydra.callbacks={x:{_target_:evilmod.Enc}}",
    "hydra.launcher._target_=evilmod.Enc",
    "+hydra.launcher.x._target_=evilmod.Enc",
    "hydra.sweeper._target_=evilmod.Enc",
    "hydra.searchpath=[pkg://evilmod]",
    "hydra.searchpath =[pkg://evilmod]",
    "+hydra.searchpath=[pkg://evilmod]",
    "hydra.job_logging.handlers.file.class=evilmod.Enc",
    "hydra.job_logging.handlers.file.filename=trace",
    "+hydra.job.env_set.VAE_LAB_ALLOW=evilmod",
    "hydra.job.name=../../trace",
    "hydra.output_subdir=../../trace",
]


@pytest.fixture(autouse=True)
def trace(tmp_path, monkeypatch):
    """Where the payloads leave their file."""
    (tmp_path / "evilmod.py").write_text(EVIL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evilmod", raising=False)
    return tmp_path / "trace"


@pytest.fixture
def conf(tmp_path):
    """Writes a person's folder whose experiment ``evil`` holds these settings."""

    def write(content):
        (tmp_path / "conf" / "experiment").mkdir(parents=True)
        (tmp_path / "conf" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{content}\n")
        return tmp_path / "conf"

    return write


def refused(outcome, trace):
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.strip().splitlines()) == 1
    assert not trace.exists()
    assert "evilmod" not in sys.modules
    assert not list(trace.parent.rglob("result.json"))


@pytest.mark.parametrize("flags", [(), ("-m", "seed=0,1"), ("-m", "seed=0", "hydra/sweeper=basic")])
@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_file_runs_nothing(cli, conf, trace, content, flags):
    folder = conf(content)
    refused(cli("--config-dir", str(folder), "+experiment=evil", *flags), trace)


@pytest.mark.parametrize("flags", [(), ("-m", "seed=0,1"), ("--help",)])
@pytest.mark.parametrize("override", OVERRIDES)
def test_an_override_runs_nothing(cli, trace, override, flags):
    refused(cli(*flags, override), trace)


@pytest.mark.parametrize("sweeper", ["grid", "basic"])
def test_a_job_of_a_sweep_is_checked_as_well(cli, tmp_path, trace, sweeper):
    """The sweep as a whole is harmless; one of its options brings a logging config of its own."""
    (tmp_path / "conf" / "encoder").mkdir(parents=True)
    text = "# @package _global_\nhydra: {job_logging: {formatters: {simple: {(): evilmod.Enc}}}}\n"
    (tmp_path / "conf" / "encoder" / "evil.yaml").write_text(text)
    refused(cli("--config-dir", "conf", "-m", "encoder=evil,evil2", f"hydra/sweeper={sweeper}"), trace)


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_the_thin_commands_refuse_it_too(conf, content):
    with pytest.raises(ConfigError) as caught:
        compose_config(["+experiment=evil"], conf(content))
    assert "hydra" in str(caught.value) or "Key 'x' not in 'BasicLauncherConf'" in str(caught.value)


def test_a_launcher_is_chosen_on_the_command_line_only(conf, monkeypatch):
    from hydra.core.config_store import ConfigStore

    node = {"_target_": "hydra_plugins.cluster.Launcher", "setup": []}
    ConfigStore.instance().store(group="hydra/launcher", name="cluster", node=node, provider="test")
    typed = ["hydra/launcher=cluster"]
    assert hydra_config([*typed, "hydra.launcher.setup=[ls]"]).hydra.launcher.setup == ["ls"]
    folder = conf("hydra: {launcher: {setup: [touch trace]}}")
    assert hydra_config(typed, folder).hydra.launcher.setup == []
    with pytest.raises(ConfigError, match=r"^hydra\.launcher=.*: must be chosen and set on the command line"):
        hydra_config([*typed, "+experiment=evil"], folder)


@pytest.mark.parametrize(
    "override",
    [
        *(f"hydra/job_logging={name}" for name in ("run_log", "default", "none", "disabled", "stdout")),
        *(f"hydra/hydra_logging={name}" for name in ("default", "none", "disabled")),
        *("hydra.job_logging.root.level=DEBUG", "hydra.verbose=true", "hydra.run.dir=one", "hydra.sweep.dir=many"),
        *("hydra.sweep.subdir=job${hydra.job.num}", "hydra.output_subdir=null", "hydra.job.name=mine"),
        *("hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2", "hydra.job.chdir=true"),
    ],
)
def test_what_hydra_s_part_is_for_stays_open(override):
    hydra_config([override])


def test_a_launcher_s_processes_check_what_they_compose():
    import cloudpickle

    loader = cloudpickle.loads(cloudpickle.dumps(CheckedLoader()))
    with pytest.raises(ConfigError, match=r"hydra\.callbacks"):
        loader.load_sweep_config(hydra_config([]), ["+hydra.callbacks.x._target_=evilmod.Enc"])
