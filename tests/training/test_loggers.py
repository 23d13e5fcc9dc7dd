"""Loggers: refused before a run where they cannot start, silent where their service breaks, complete where it works."""

import json
import subprocess
import sys

import pytest
from lightning.pytorch.loggers import TensorBoardLogger

from vae_lab.checks import ConfigError
from vae_lab.runs.result import Result
from vae_lab.training import run
from vae_lab.training.loggers import WandB
from vae_lab.training.loggers.opening import check_loggers

wandb = pytest.importorskip("wandb")


@pytest.fixture(autouse=True)
def _nobody_is_logged_in(monkeypatch, tmp_path):
    """Neither a key nor a server of whoever runs the tests, and no memory of a server that did not answer."""
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(WandB, "unreachable", "")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["+logger.x=5"], "logger.x=5: must be a logger, with a _target_ and its settings"),
        (["+logger.x.y=1"], "logger.x._target_: must be given, the name of a class (Logger)"),
        (
            ["logger=wandb", "+logger.wandb.projekt=a"],
            "logger.wandb.projekt=a: no such setting (did you mean project?)",
        ),
        (["logger=wandb", "logger.wandb.project=5"], "logger.wandb.project=5: must be a name"),
        (["logger=wandb", "logger.wandb.offline=5"], "logger.wandb.offline=5: must be true or false"),
        (
            ["logger=wandb", "logger.wandb.offline=false"],
            "logger.wandb.offline=false: needs an account: run wandb login",
        ),
        (["logger=tensorboard", "+logger.tensorboard.foo=1"], "logger.tensorboard.foo=1: no such setting"),
    ],
)
def test_what_cannot_start_is_refused_by_name(compose_config, overrides, words):
    with pytest.raises(ConfigError) as refused:
        run.check(compose_config(*overrides))
    assert str(refused.value).startswith(words)


def test_a_package_that_is_missing_is_said_before_a_sweep(compose_config, monkeypatch):
    monkeypatch.setattr("vae_lab.training.loggers.tensorboard.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"logger.tensorboard: .*tensorboard is not installed; pip install"):
        check_loggers(compose_config("logger=tensorboard"))


def test_the_curves_need_no_service(compose_config, tmp_path):
    assert run.execute(compose_config("logger=csv"), tmp_path, {}).status == "finished"
    assert (tmp_path / "metrics.csv").is_file()


def test_a_server_that_does_not_answer_costs_its_bound_once_and_no_run(compose_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setitem(sys.modules["vae_lab.training.loggers.wandb"].BOUNDS, "init_timeout", 1.0)
    config = compose_config("logger=wandb", "logger.wandb.offline=false")
    for name in ("first", "second"):
        assert run.execute(config, tmp_path / name, {}, name=name).status == "finished"
        assert list((tmp_path / name).glob("wandb/offline-run-*/run-*.wandb"))
    said = capsys.readouterr()
    assert said.out.count("wandb cannot reach its server") == 1
    assert len(said.out.splitlines()) == 1
    assert not list((tmp_path / "second").glob("wandb/run-*"))


def test_a_run_that_was_never_closed_takes_nothing_from_the_next(compose_config, tmp_path, monkeypatch):
    left = WandB(tmp_path / "left", "left", "", {})
    try:
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        check_loggers(compose_config("logger=wandb", "logger.wandb.offline=false"))  # the account is found
        assert run.execute(compose_config("logger=wandb"), tmp_path / "next", {}, name="next").status == "finished"
        assert list((tmp_path / "next").glob("wandb/offline-run-*/run-*.wandb"))
    finally:
        left.close(failed=False)


def test_a_mode_of_the_shell_that_needs_an_account_is_refused(compose_config, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr("vae_lab.training.loggers.wandb.has_account", lambda: False)
    with pytest.raises(ConfigError, match=r"^WANDB_MODE=online: needs an account: run wandb login"):
        run.check(compose_config("logger=wandb"))


def test_a_mode_of_the_shell_overrules_the_config_until_its_server_is_gone(compose_config, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setitem(sys.modules["vae_lab.training.loggers.wandb"].BOUNDS, "init_timeout", 1.0)
    assert run.execute(compose_config("logger=wandb"), tmp_path, {}).status == "finished"
    assert WandB.unreachable
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))


def test_a_service_that_does_not_start_is_a_line(compose_config, tmp_path, monkeypatch, capsys):
    def breaks(*_):
        raise RuntimeError("no service today")

    monkeypatch.setattr(WandB, "connect", breaks)
    assert run.execute(compose_config("logger=wandb"), tmp_path, {}).status == "finished"
    assert "note: logger.wandb: RuntimeError: no service today; the run goes on without it" in capsys.readouterr().out


def test_a_service_that_breaks_while_it_runs_is_a_line_in_the_log(compose_config, tmp_path, monkeypatch, caplog):
    def breaks(self, metrics, step=None):
        raise RuntimeError("the service is gone")

    monkeypatch.setattr(TensorBoardLogger, "log_metrics", breaks)
    assert run.execute(compose_config("logger=tensorboard"), tmp_path, {}).status == "finished"
    assert sum("the service is gone" in record.message for record in caplog.records) == 1


def test_wandb_holds_the_options_the_cause_and_what_a_run_cost(cli, tmp_path):
    lengths = ("trainer.max_steps=20", "trainer.val_check_interval=10", "metrics.test.nll.k=0")
    outcome = cli("logger=wandb", "hydra.run.dir=run", *lengths)
    assert (outcome.code, outcome.err) == (0, "")
    (file,) = tmp_path.glob("run/wandb/offline-run-*/run-*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this wandb cannot show a run on the command line")
    found = json.loads(done.stdout)
    options = found["config"]["options"]
    assert (options["free_bits"], options["model"], options["data"]) == ("off", "beta_vae", "digits")
    assert found["config"]["model"]["beta"] == 1  # nested, which wandb shows and groups by as model.beta
    recorded, kept = Result.read(tmp_path / "run"), found["summary"]
    assert kept["collapse"] == {"none": "not collapsed", "partial": "partly", "full": "full"}[recorded.verdict]
    assert kept["cause"]
    assert (kept["seconds"], kept["rate_floor"]) == (recorded.seconds, recorded.rate_floor)
    assert kept["test/rate"] == pytest.approx(recorded.metrics["test/rate"])
