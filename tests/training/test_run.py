"""One run: what it measures, what it keeps, and that it is a function of its config alone."""

import csv
import math

import pytest
import torch

from vae_lab.checks import ConfigError
from vae_lab.runs.result import Result
from vae_lab.training import run
from vae_lab.training.trainer import make_trainer


def execute(config, directory):
    return run.execute(config, directory, {})


def curve(directory, name):
    with (directory / "metrics.csv").open() as file:
        return {int(row["step"]) + 1: float(row[name]) for row in csv.DictReader(file) if row.get(name)}


def test_training_draws_nothing_from_the_global_generator(compose_config, tmp_path):
    config = compose_config("model=info_vae", "data.binarize=dynamic")
    before = torch.get_rng_state()
    execute(config, tmp_path / "run")
    assert torch.get_rng_state().equal(before)


def test_result_is_running_while_it_runs(compose_config, tmp_path, monkeypatch):
    seen = []
    original = run.train_and_test

    def spy(*arguments):
        seen.append(Result.read(tmp_path).status)
        return original(*arguments)

    monkeypatch.setattr(run, "train_and_test", spy)
    assert execute(compose_config(), tmp_path).status == "finished"
    assert seen == ["running"]
    assert Result.read(tmp_path).status == "finished"


def test_elbo_is_the_true_one_whatever_the_loss_weighs(compose_config, tmp_path):
    config = compose_config("model.beta=7", "free_bits=dimension", "free_bits.epsilon=3")
    metrics = execute(config, tmp_path).metrics
    assert metrics["test/elbo"] == pytest.approx(-metrics["test/rate"] - metrics["test/distortion"], abs=1e-9)
    assert sum(metrics["test/rate_dim"]) == pytest.approx(metrics["test/rate"], abs=1e-9)
    assert metrics["test/prior_gap"] == pytest.approx(metrics["test/rate"] - metrics["test/mutual_information"])
    assert metrics["test/rate"] < 12 < 84 <= metrics["test/loss"] - metrics["test/distortion"] + 1e-3


def test_the_last_step_is_validated_whatever_the_interval(compose_config, tmp_path):
    execute(compose_config("trainer.max_steps=17", "trainer.val_check_interval=5"), tmp_path)
    assert list(curve(tmp_path, "val/loss")) == [5, 10, 15, 17]


def test_figures_are_those_of_the_best_checkpoint(compose_config, tmp_path):
    """At a learning rate that breaks the model late, the best checkpoint is not the last one."""
    config = compose_config("trainer.max_steps=60", "optimizer.lr=0.2")
    result = execute(config, tmp_path)
    losses = curve(tmp_path, "val/loss")
    best = min(losses, key=losses.get)
    assert (result.checkpoint, result.checkpoint_step) == ("best.ckpt", best)
    assert best < 60
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert state["global_step"] == best


def test_best_is_never_taken_from_before_the_schedule_ended(compose_config, tmp_path):
    lengths = ("annealing.steps=300", "trainer.max_steps=400", "trainer.val_check_interval=50")
    config = compose_config("annealing=linear", *lengths, "model.beta=2")
    result = execute(config, tmp_path)
    losses = curve(tmp_path, "val/loss")
    assert min(losses, key=losses.get) < 300, "the transient must tempt"
    eligible = {step: loss for step, loss in losses.items() if step >= 300}
    assert (result.checkpoint, result.checkpoint_step) == ("best.ckpt", min(eligible, key=eligible.get))


def test_a_schedule_that_never_ends_leaves_the_last_checkpoint_and_says_unfinished(compose_config, tmp_path):
    result = execute(compose_config("annealing=linear", "annealing.steps=100"), tmp_path)
    assert (result.checkpoint, result.checkpoint_step) == ("last.ckpt", 20)
    assert result.unfinished is None
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_the_weight_of_a_validation_is_that_of_its_step(compose_config, tmp_path):
    """At the first eligible validation the weight is the final one, not that of the step before."""
    config = compose_config("annealing=linear", "annealing.steps=10", "model.latent_dim=2")
    execute(config, tmp_path)
    loss, rate, distortion = (curve(tmp_path, f"val/{name}") for name in ("loss", "rate", "distortion"))
    assert loss[10] == pytest.approx(rate[10] + distortion[10], rel=1e-6)


def test_double_precision_comes_back_as_it_was(compose_config, tmp_path):
    from vae_lab.evaluate import evaluate

    recorded = execute(compose_config("trainer.precision=64-true"), tmp_path).metrics
    figures = evaluate(tmp_path)
    assert figures == {name: recorded[name] for name in figures}


def test_the_unbiased_mmd_survives_any_evaluation_batch(compose_config, tmp_path):
    config = compose_config("model=info_vae", "model.estimator=unbiased", "data.eval_batch_size=299")
    result = execute(config, tmp_path)
    assert math.isfinite(result.metrics["test/loss"])
    assert result.checkpoint == "best.ckpt"


def test_curves_are_on_disk_row_by_row_and_go_on_where_they_ended(tmp_path):
    from vae_lab.training.loggers import CSV

    first = CSV(tmp_path)
    assert list(tmp_path.iterdir()) == []
    first.log_metrics({"train/rate": 1.0}, step=3)
    assert curve(tmp_path, "train/rate") == {4: 1.0}
    CSV(tmp_path).log_metrics({"train/rate": 2.0}, step=4)
    assert curve(tmp_path, "train/rate") == {4: 1.0, 5: 2.0}


def test_a_service_that_breaks_leaves_the_run_finished(compose_config, tmp_path, monkeypatch):
    from vae_lab.training.loggers import WandB

    def breaks(*_):
        raise RuntimeError("no wandb today")

    monkeypatch.setattr(WandB, "publish", breaks)
    assert execute(compose_config("logger=wandb"), tmp_path).status == "finished"


def test_epochs_are_whole_passes(compose_config, tmp_path):
    result = execute(compose_config("epochs=3", "data.batch_size=256"), tmp_path)
    assert result.steps == 3 * (1197 // 256)
    assert list(curve(tmp_path, "val/loss")) == list(range(1, 13))


def test_the_objective_is_recorded(compose_config, tmp_path):
    config = compose_config("model.beta=2", "model.distortion_reduction=mean", "annealing.value=0.5")
    objective = execute(config, tmp_path).objective
    assert objective.effective_beta == 2 * 0.5 * 64
    assert objective.spectrum[0] == pytest.approx(3.2823, abs=1e-3)
    assert len(objective.spectrum) == 4
    assert objective.scores == "cross-entropy"  # grey digits under a Bernoulli likelihood


def test_averaging_the_distortion_is_the_same_as_multiplying_beta(compose_config):
    from vae_lab.training.assembly import assemble

    x, noise = torch.rand(8, 1, 8, 8), torch.randn(1, 8, 4)
    averaged = assemble(compose_config("model.distortion_reduction=mean")).model
    multiplied = assemble(compose_config("model.beta=64")).model
    assert 64 * averaged(x, noise).loss.item() == pytest.approx(multiplied(x, noise).loss.item(), rel=1e-6)


def test_annealing_moves_the_weight_and_logs_it(compose_config, tmp_path):
    execute(compose_config("annealing=linear", "annealing.steps=10", "trainer.log_every_n_steps=1"), tmp_path)
    weights = curve(tmp_path, "coef/kl_weight")
    assert [weights[step] for step in (1, 2, 6, 11, 20)] == pytest.approx([0, 0.1, 0.5, 1, 1])


def test_free_bits_log_their_coefficient(compose_config, tmp_path):
    execute(compose_config("free_bits=total", "free_bits.epsilon=0.75"), tmp_path)
    assert set(curve(tmp_path, "coef/free_bits").values()) == {0.75}


def test_mean_image_is_the_yardstick(compose_config, tmp_path):
    from sklearn.datasets import load_digits

    from vae_lab.data import Digits

    metrics = execute(compose_config(), tmp_path).metrics
    splits = Digits().splits
    p = splits["train"].images.double().mean(0).clamp(1e-4, 1 - 1e-4)
    x = splits["test"].images.double()
    expected = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean()
    assert metrics["test/distortion_mean_image"] == pytest.approx(float(expected), rel=1e-5)
    assert len(load_digits().data) == 1797


def test_a_loss_that_is_no_number_stops_the_run_at_its_step(compose_config, tmp_path, monkeypatch):
    from vae_lab.models import BetaVAE

    step = BetaVAE.training_step

    def broken(self, x, i):
        outputs = step(self, x, i)
        return outputs | {"loss": outputs["loss"] * (math.nan if i == 6 else 1.0)}

    monkeypatch.setattr(BetaVAE, "training_step", broken)
    result = execute(compose_config("trainer.max_steps=1000"), tmp_path)
    assert (result.status, result.diverged_step) == ("diverged", 7)
    assert len(curve(tmp_path, "train/loss")) < 5
    recorded = Result.read(tmp_path)
    assert (recorded.status, recorded.objective.learning_rate) == ("diverged", 1e-3)  # what its diagnosis rests on


def test_bernoulli_on_other_pixels_is_refused(compose_config, tmp_path):
    import numpy as np

    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).normal(size=(200, 8, 8)))
    path = f"data.path={tmp_path / 'a.npz'}"
    with pytest.raises(ConfigError, match=r"likelihood=bernoulli: needs pixels in \[0, 1\]"):
        run.check(compose_config("data=npz", path))
    run.check(compose_config("data=npz", path, "likelihood=gaussian"))


def test_wandb_offline_holds_group_name_config_charts_and_collapse(compose_config, tmp_path):
    wandb = pytest.importorskip("wandb")
    config = compose_config("logger=[wandb,tensorboard]")
    for name in ("first", "second"):
        run.execute(config, tmp_path / name, {}, name=name, group="a_sweep")
        assert wandb.run is None
    for name in ("first", "second"):
        (file,) = (tmp_path / name).glob("wandb/offline-run-*/run-*.wandb")
        content = file.read_bytes()
        words = ("a_sweep", name, "latent_dim", "train/rate", "val/rate", "KL (rate), nats per image", "collapse")
        for word in words:
            assert word.encode() in content, word
        assert list((tmp_path / name / "tensorboard").glob("events.out.*"))
    second = next((tmp_path / "second").glob("wandb/offline-run-*/run-*.wandb")).read_bytes()
    assert b"first" not in second


def test_wandb_run_of_a_failed_job_is_closed_as_failed(compose_config, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    codes = []
    finish = wandb.Run.finish
    monkeypatch.setattr(
        wandb.Run, "finish", lambda self, exit_code=None: (codes.append(exit_code), finish(self, exit_code))
    )

    def breaks(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(run, "train_and_test", breaks)
    with pytest.raises(RuntimeError, match="broken"):
        execute(compose_config("logger=wandb"), tmp_path)
    assert codes == [1]
    assert wandb.run is None
    assert Result.read(tmp_path).status == "failed"


def test_tensorboard_charts_are_titled_as_people_say_it(compose_config, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    execute(compose_config("logger=tensorboard"), tmp_path)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train/rate", "val/elbo", "coef/kl_weight"} <= set(events.Tags()["scalars"])
    assert b"KL (rate), nats per image" in b"".join(path.read_bytes() for path in tmp_path.glob("tensorboard/events.*"))


@pytest.mark.parametrize("model", ["vae", "beta_vae", "delta_vae", "info_vae", "bn_vae"])
def test_each_model_learns_real_mnist(compose_config, tmp_path, data_root, model):
    config = compose_config(
        "data=mnist", f"data.root={data_root}", f"model={model}", "trainer.max_steps=40", "metrics.test.nll.k=0",
        "trainer.val_check_interval=40", "model.latent_dim=2", "data.eval_batch_size=2000",
    )  # fmt: skip
    metrics = execute(config, tmp_path).metrics
    assert all(math.isfinite(value) for value in metrics.values() if isinstance(value, float))
    assert metrics["test/distortion"] < 1.2 * metrics["test/distortion_mean_image"]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "beta_vae", "delta_vae", "info_vae", "bn_vae"])
def test_each_model_beats_the_mean_image_after_500_steps(compose_config, tmp_path, data_root, model):
    config = compose_config(
        "data=mnist", f"data.root={data_root}", f"model={model}", "trainer.max_steps=500", "metrics.test.nll.k=0",
        "trainer.val_check_interval=250",
    )  # fmt: skip
    metrics = execute(config, tmp_path).metrics
    assert metrics["test/distortion"] < metrics["test/distortion_mean_image"]
    if model == "vae":
        assert metrics["test/elbo"] > -180


@pytest.mark.parametrize(("steps", "interval"), [(1500, 150), (10_000, 1000), (7, 1)])
def test_a_run_is_validated_ten_times_unless_told(compose_config, steps, interval):
    config = compose_config(f"trainer.max_steps={steps}", "trainer.val_check_interval=null")
    assert make_trainer(config, logger=False, enable_progress_bar=False).val_check_interval == interval
