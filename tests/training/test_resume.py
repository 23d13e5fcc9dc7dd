"""A run that was stopped, wherever it was, and taken up again is the run that was never stopped: bit for bit."""

import json
from pathlib import Path

import pytest
import torch
from tests.conftest import same

from vae_lab.callbacks import Checkpoints, StepProgress
from vae_lab.checks import ConfigError
from vae_lab.runs.result import Result
from vae_lab.training import fitting, run

LENGTHS = ("trainer.max_steps=24", "trainer.val_check_interval=10", "trainer.log_every_n_steps=1")
KINDS = {
    "vae": ("model=vae",),
    "beta_vae": ("model.beta=2",),
    "delta_vae": ("model=delta_vae",),
    "delta_vae independent": ("model=delta_vae", "model.variant=independent"),
    "info_vae": ("model=info_vae", "data.binarize=dynamic"),
    "bn_vae": ("model=bn_vae",),
    "gaussian_optimal": ("likelihood=gaussian_optimal",),
    "pixelcnn": ("decoder=pixelcnn", "data.batch_size=16"),
    "linear annealing": ("annealing=linear", "annealing.steps=17"),
    "sigmoid annealing": ("annealing=sigmoid", "annealing.steps=17"),
    "cyclical annealing": ("annealing=cyclical", "annealing.steps=22"),
    "capacity": ("annealing=capacity", "annealing.steps=17"),
    "free bits": ("free_bits=dimension",),
    "growing free bits": ("free_bits=growing", "free_bits.steps=17"),
    "adaptive free bits": ("free_bits=adaptive", "free_bits.every=3"),
    "pi": ("control=pi",),
    "geco": ("control=geco", "control.target=20"),
    "aggressive": ("inference=aggressive", "inference.window=2", "inference.max_encoder_steps=5"),
    "aggressive, patient": ("inference=aggressive", "inference.window=3", "inference.patience=3"),
    "lr_decay": ("optimizer.lr_decay=cosine",),
    "lr_decay in steps": ("optimizer.lr_decay=step", "optimizer.lr_milestones=[0.3,0.6]"),
    "adamw": ("optimizer=adamw",),
    "momentum": ("optimizer=sgd", "optimizer.lr=0.001", "optimizer.momentum=0.9"),
    "clipped": ("trainer.gradient_clip_val=1",),
    "double": ("trainer.precision=64-true",),
    "small epochs": ("data.batch_size=256",),
}


class Stop(StepProgress):
    """Stops a run before its step number ``step``, or in its ``validation``, each counted from 0."""

    def __init__(self, step=None, validation=None):
        super().__init__()
        self.step, self.validation, self.validations = step, validation, 0

    def on_train_batch_start(self, trainer, *_):
        if trainer.global_step == self.step:
            raise RuntimeError("stop")

    def on_validation_batch_start(self, trainer, *_):
        self.validations += 1
        if self.validations - 1 == self.validation:
            raise RuntimeError("stop")


def stop(config, directory, **where):
    with pytest.raises(RuntimeError, match="stop"):
        run.execute(config, directory, {}, progress=Stop(**where))


def assert_same_run(one: Path, other: Path):
    """Two directories hold the same run, but for dates and seconds."""
    assert (one / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
    for name in ("last.ckpt", "best.ckpt"):
        paths = [folder / "checkpoints" / name for folder in (one, other)]
        assert paths[0].exists() == paths[1].exists()
        if paths[0].exists():
            contents = [torch.load(path, weights_only=True) for path in paths]
            for content in contents:
                content["vae_lab"].pop("seconds")
            for part in contents[0]:
                assert same(*(content[part] for content in contents)), f"{name}: {part}"
    records = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    for record in records:
        for date in ("started", "ended", "seconds", "process"):
            record.pop(date)
    assert records[0] == records[1]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_run_that_was_stopped_twice_is_the_run_that_was_not(compose_config, tmp_path, kind):
    config = compose_config(*LENGTHS, "metrics.test.nll.k=0", *kind)
    run.execute(config, tmp_path / "whole", {})
    stop(config, tmp_path / "stopped", step=13)
    stop(config, tmp_path / "stopped", step=22)
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("where", [{"step": 3}, {"step": 10}, {"step": 20}, {"validation": 0}, {"validation": 1}])
def test_wherever_it_was_stopped(compose_config, tmp_path, where):
    config = compose_config(*LENGTHS, "control=pi")
    run.execute(config, tmp_path / "whole", {})
    stop(config, tmp_path / "stopped", **where)
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("kind", ["beta_vae", "aggressive, patient", "adaptive free bits", "lr_decay", "bn_vae"])
def test_checkpoints_between_validations_are_as_exact(compose_config, tmp_path, monkeypatch, kind):
    config = compose_config(*LENGTHS, *KINDS[kind])
    run.execute(config, tmp_path / "whole", {})
    monkeypatch.setattr("vae_lab.callbacks.checkpoints.MOST_SECONDS", 0.0)
    for step in (4, 5, 10, 11, 19, 23):
        stop(config, tmp_path / "stopped", step=step)
        saved = torch.load(tmp_path / "stopped" / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["global_step"] == step
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_that_was_stopped_in_its_test_is_tested_again(compose_config, tmp_path, monkeypatch):
    config = compose_config(*LENGTHS)
    run.execute(config, tmp_path / "whole", {})
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "mean_image_distortion", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run.execute(config, tmp_path / "stopped", {})
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_an_ended_run_is_not_run_again(compose_config, tmp_path, monkeypatch):
    config = compose_config(*LENGTHS)
    first = run.execute(config, tmp_path, {})
    monkeypatch.setattr(run, "carry_out", None)
    assert run.execute(config, tmp_path, {}) == first
    with pytest.raises(ConfigError, match=r"^model.beta=2: was 1.0 when the run began; a run that goes on keeps"):
        run.execute(compose_config(*LENGTHS, "model.beta=2"), tmp_path, {})
    with pytest.raises(ConfigError, match=r"^trainer.max_steps=20: was 24 when the run began; it can be raised, not"):
        run.execute(compose_config(*LENGTHS, "trainer.max_steps=20"), tmp_path, {})


@pytest.mark.parametrize("kind", ["beta_vae", "lr_decay", "bn_vae", "aggressive, patient"])
def test_a_longer_run_is_the_one_that_was_longer_from_the_start(compose_config, tmp_path, kind):
    """Where nothing depends on the length: the learning rate does, from the step on at which it was raised."""
    longer = ("trainer.max_steps=40", *LENGTHS[1:], *KINDS[kind])
    short = run.execute(compose_config(*LENGTHS, "trainer.max_steps=20", *KINDS[kind]), tmp_path / "raised", {})
    run.execute(compose_config(*longer), tmp_path / "raised", {})
    assert Result.read(tmp_path / "raised").steps == 40
    assert json.loads((tmp_path / "raised" / "result_at_20.json").read_text())["metrics"] == dict(short.metrics)
    if kind != "lr_decay":
        run.execute(compose_config(*longer), tmp_path / "whole", {})
        assert_same_run(tmp_path / "whole", tmp_path / "raised")
    else:
        saved = torch.load(tmp_path / "raised" / "checkpoints" / "previous.ckpt", weights_only=True)
        assert saved["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(1e-3 * 0.1464466)  # step 30 of 40


def test_the_learning_rate_of_a_longer_run_is_the_longer_decay_s_from_its_first_step(compose_config, tmp_path):
    from vae_lab.models import VAE

    kind = ("optimizer.lr_decay=linear", *LENGTHS[1:])
    run.execute(compose_config("trainer.max_steps=20", *kind), tmp_path, {})
    rates = []
    step = VAE.training_step

    def seen(self, batch, i):
        rates.append(self.optimizers().param_groups[0]["lr"])
        return step(self, batch, i)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VAE, "training_step", seen)
        run.execute(compose_config("trainer.max_steps=40", *kind), tmp_path, {})
    assert rates == pytest.approx([1e-3 * (1 - step / 40) for step in range(20, 40)])


def test_a_truncated_checkpoint_is_passed_over(compose_config, tmp_path, capsys):
    config = compose_config(*LENGTHS)
    run.execute(config, tmp_path / "whole", {})
    stop(config, tmp_path / "stopped", step=22)
    last = tmp_path / "stopped" / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    run.execute(config, tmp_path / "stopped", {})
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"note: {last}: cannot be read, truncated or no checkpoint (RuntimeError); the one before is taken"
    )
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_where_no_checkpoint_can_be_read_the_run_begins_anew(compose_config, tmp_path, capsys):
    config = compose_config(*LENGTHS)
    run.execute(config, tmp_path / "whole", {})
    stop(config, tmp_path / "stopped", step=22)
    for name in ("last.ckpt", "previous.ckpt"):
        (tmp_path / "stopped" / "checkpoints" / name).write_bytes(b"")
    run.execute(config, tmp_path / "stopped", {})
    assert capsys.readouterr().out.splitlines()[-1].endswith("; the run begins anew")
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_seconds_are_those_of_all_parts(compose_config, tmp_path):
    stop(compose_config(*LENGTHS), tmp_path, step=22)
    first = Result.read(tmp_path).seconds
    saved = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["vae_lab"]["seconds"]
    assert 0 < saved <= first
    assert run.execute(compose_config(*LENGTHS), tmp_path, {}).seconds > first


def test_a_checkpoint_is_on_disk_before_it_has_its_name(compose_config, tmp_path, monkeypatch):
    """A machine that loses its power leaves the one before."""
    order = []
    monkeypatch.setattr("os.fsync", lambda file: order.append("fsync"))
    replace = __import__("os").replace
    monkeypatch.setattr("os.replace", lambda *paths: (order.append(Path(paths[1]).name), replace(*paths)))
    run.execute(compose_config("trainer.max_steps=2", "trainer.val_check_interval=2"), tmp_path, {})
    written = order.index("last.ckpt")
    assert order[written - 1 : written + 2] == ["fsync", "last.ckpt", "fsync"]


def test_a_link_in_a_run_directory_is_refused(compose_config, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "precious").write_text("mine\n")
    (tmp_path / "run" / "metrics.csv").symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match=r"metrics.csv: is a link, which no run makes"):
        run.execute(compose_config(), tmp_path / "run", {})
    assert (tmp_path / "precious").read_text() == "mine\n"


def test_history_and_best_go_on(compose_config, tmp_path):
    config = compose_config(*LENGTHS, "trainer.max_steps=60", "optimizer.lr=0.2")
    result = run.execute(config, tmp_path / "whole", {})
    assert result.checkpoint_step < 60
    stop(config, tmp_path / "stopped", step=55)
    history = torch.load(tmp_path / "stopped" / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    assert len(history[Checkpoints.__qualname__]["history"]) == 5
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_the_film_goes_on(compose_config, tmp_path):
    pytest.importorskip("matplotlib")
    from vae_lab.figures.frames import frames

    config = compose_config(*LENGTHS, "figures=on", "figures.every=4", "figures.only=[film]")
    run.execute(config, tmp_path / "whole", {})
    stop(config, tmp_path / "stopped", step=15)
    run.execute(config, tmp_path / "stopped", {})
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    films = [frames(tmp_path / name / "figures" / "frames") for name in ("whole", "stopped")]
    assert [frame.step for frame in films[0]] == [frame.step for frame in films[1]]
    assert [frame.dims for frame in films[0]] == [frame.dims for frame in films[1]]
    assert (tmp_path / "whole/figures/film.png").read_bytes() == (tmp_path / "stopped/figures/film.png").read_bytes()
