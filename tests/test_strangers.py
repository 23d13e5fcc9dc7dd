"""What a stranger hands you, a config folder, a run or a sweep, runs no code. Each payload would leave a file behind.

Hydra's own part, a sweep's recorded command line and the checkpoint file itself have tests beside their code; here are
the ways through the doors.
"""

import json
import os
import pickle
import shutil
from importlib import import_module

import pytest
import torch
from omegaconf import OmegaConf

from vae_lab.console import read_command_line

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")

TARGETS = {
    "system": "encoder: {_target_: os.system, command: touch trace}",
    "eval": "encoder: {_target_: builtins.eval, source: \"open('trace', 'w')\"}",
    "exec": "encoder: {_target_: builtins.exec, source: \"open('trace', 'w')\"}",
    "Popen": "encoder: {_target_: subprocess.Popen, args: [touch, trace]}",
    "through a module": "encoder: {_target_: vae_lab.config.build.os.system, command: touch trace}",
    "nested": "encoder: {hidden: {_target_: os.system, command: touch trace}}",
    "nested in a list": "encoder: {hidden: [{a: {_target_: os.system, command: touch trace}}]}",
    "partial": "optimizer: {_target_: os.system, _partial_: true, command: touch trace}",
    "partial, nested": "encoder: {hidden: {_target_: subprocess.run, _partial_: true, args: [touch, trace]}}",
    "interpolated": "encoder: {_target_: '${model.target}', command: touch trace}\nmodel: {target: os.system}",
    "half interpolated": "encoder: {_target_: 'os.${model.target}', command: touch trace}\nmodel: {target: system}",
    "by a resolver": "encoder: {_target_: '${oc.env:STRANGE}', command: touch trace}",
    "decoded": "encoder: '${oc.decode:\"{_target_: os.system, command: touch trace}\"}'",
    "created": "encoder: '${oc.create:\"{_target_: os.system, command: touch trace}\"}'",
    "an unknown resolver": "encoder: {width: '${eval:1}'}",
    "callback of Lightning": "trainer: {callbacks: [{_target_: os.system, command: touch trace}]}",
    "logger": "logger: {csv: {_target_: os.system, command: touch trace}}",
    "metric": "metrics: {test: {x: {_target_: os.system, command: touch trace}}}",
    "tag of YAML": "encoder: !!python/object/apply:os.system ['touch trace']",
    "new tag of YAML": "encoder: !!python/object/new:os.system ['touch trace']",
    "name of YAML": "encoder: {_target_: !!python/name:os.system , command: touch trace}",
}


@pytest.fixture
def trace(tmp_path, monkeypatch):
    """Where the payloads leave their file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRANGE", "os.system")
    return tmp_path / "trace"


def refused(outcome, trace):
    assert outcome.code == 1, outcome.out
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.strip().splitlines()) == 1, outcome.err
    assert "Traceback" not in outcome.out
    assert not list(trace.parent.rglob("trace"))
    assert not list(trace.parent.glob("multirun/*/*/result.json"))


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        *((name, ("-m", "seed=0,1")) for name in TARGETS),
        *((name, ()) for name in ("system", "partial", "interpolated")),
    ],
)
def test_a_config_folder(cli, trace, name, flags):
    folder = trace.parent / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "strange.yaml").write_text(f"# @package _global_\n{TARGETS[name]}\n")
    refused(cli("--config-dir", "conf", "+experiment=strange", *flags), trace)


# A run directory.


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def run(trained, trace):
    """A copy of a finished run, as a stranger hands it over."""
    from vae_lab.config.options import FILE

    shutil.copytree(trained, trace.parent / "run")
    hydra = trace.parent / "run" / ".hydra"
    hydra.mkdir(exist_ok=True)
    OmegaConf.save(OmegaConf.create(["model.beta=0.5", *SHORT]), hydra / "overrides.yaml")
    OmegaConf.save(OmegaConf.create([]), trace.parent / "run" / FILE)
    return trace.parent / "run"


def poison(run, trace, save):
    for name in ("best", "last", "previous"):
        save(
            {"state_dict": {}, "global_step": 20, "vae_lab": {"config": Payload(trace)}},
            run / "checkpoints" / f"{name}.ckpt",
        )


@pytest.mark.parametrize("save", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))])
@pytest.mark.parametrize(
    "door", ["evaluate run=run", "latents run=run", "explore run=run", "explore run=run file=page.html"]
)
def test_no_door_unpickles_a_checkpoint(run, trace, save, door):
    poison(run, trace, save)
    name, *arguments = door.split()
    with pytest.raises(ValueError, match=r"ckpt: refused"):
        import_module(f"vae_lab.{name}").main(read_command_line(arguments))
    assert not trace.exists()


@pytest.mark.parametrize("save", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))])
def test_a_run_that_goes_on_passes_such_a_checkpoint_over(cli, run, trace, save):
    (run / "result.json").unlink()
    poison(run, trace, save)
    done = cli("resume=run")
    assert done.code == 0, done.err
    assert done.out.count("the run begins anew") == 1
    assert not trace.exists()


RECORDED = {
    "target": ("overrides.yaml", "- encoder._target_=os.system\n- +encoder.command='touch trace'\n"),
    "callbacks": ("overrides.yaml", "- +hydra.callbacks.x._target_=os.system\n- model._target_=os.system\n"),
    "interpolation": ("overrides.yaml", "- encoder._target_=${oc.env:STRANGE}\n"),
    "a mapping": ("overrides.yaml", "a: 1\n"),
    "cut off": ("overrides.yaml", "- 'seed"),
    "tag": ("overrides.yaml", "- !!python/object/apply:os.system ['touch trace']\n"),
    "tag in the options": ("options.yaml", "- !!python/object/apply:os.system ['touch trace']\n"),
    "tag in the config": ("config.yaml", "model: !!python/object/apply:os.system ['touch trace']\n"),
    "module": ("options.yaml", "- --allow=strange_module\n"),
    "folder": ("options.yaml", "- --config-dir=/proc/self/nowhere\n"),
}


@pytest.mark.parametrize(("file", "text"), RECORDED.values(), ids=RECORDED.keys())
def test_what_a_run_has_recorded(cli, run, trace, monkeypatch, file, text):
    """It is data: it goes through the checks of a command line, and widens nothing."""
    (trace.parent / "strange_module.py").write_text(f"open({str(trace)!r}, 'w')\n")
    monkeypatch.syspath_prepend(trace.parent)
    (run / ".hydra" / file).write_text(text)
    done = cli("resume=run", "trainer.max_steps=30")
    assert done.code == 1 or file == "options.yaml"
    assert done.err.startswith("error: ") or done.code == 0
    assert len(done.err.strip().splitlines()) <= 1
    assert not list(trace.parent.rglob("trace"))


@pytest.mark.parametrize(
    "link", [".hydra", "checkpoints", "checkpoints/last.ckpt", "metrics.csv", "result.json", "run.log"]
)
def test_a_link_in_a_run_is_not_written_through(cli, run, trace, link):
    precious = trace.parent / "precious"
    if (run / link).exists():
        (run / link).rename(precious)
    else:
        precious.write_text("mine")
    (run / link).symlink_to(precious)
    before = {path: path.read_bytes() for path in trace.parent.rglob("*") if path.is_file()}
    done = cli("resume=run", "trainer.max_steps=30")
    assert (done.code, f"run/{link}: is a link, which no run makes" in done.err) == (1, True), done.err
    assert {path: path.read_bytes() for path in trace.parent.rglob("*") if path.is_file()} == before


# A sweep directory.


@pytest.mark.parametrize("name", ["../precious", "..", "/tmp/precious"])
def test_a_sweep_whose_record_leads_out_of_it_is_not_read_there(trace, capsys, name):
    """A report reads run directories by what lies in the sweep, never by a recorded path."""
    from vae_lab.runs.sweep import Sweep

    (trace.parent / "s").mkdir()
    record = {"format": 2, "swept": ["seed"], "arguments": [], "started": "2026-01-01T00:00:00+00:00", "jobs": [name]}
    (trace.parent / "s" / "sweep.json").write_text(json.dumps(record))
    (trace.parent / "precious").mkdir()
    (trace.parent / "precious" / "result.json").write_text(json.dumps({"format": 2, "status": "running", "seed": 0}))
    assert Sweep.read(trace.parent / "s").runs == []


def test_a_job_of_slurm_that_a_stranger_left_is_never_read(trace):
    """Each launch has a fresh folder, whose name nobody can know before."""
    from vae_lab.sweep.slurm import Launch

    first = Launch.new(trace.parent, "vae_lab")
    second = Launch.new(trace.parent, "../../vae_lab")
    assert first.folder.parent == second.folder.parent == trace.parent / ".submitit"
    assert first.folder != second.folder
    assert not list(second.folder.iterdir())
