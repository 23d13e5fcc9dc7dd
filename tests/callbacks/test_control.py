"""Control: each training batch's figure moves the weight, nothing else does, and a checkpoint holds it."""

import pytest
import torch

import vae_lab
from vae_lab.callbacks import Control
from vae_lab.callbacks.control import image_mean
from vae_lab.checks import ConfigError
from vae_lab.training import run
from vae_lab.training.assembly import assemble

CONTROLS = {
    "adaptive": ("free_bits=adaptive", "free_bits.every=2", "free_bits.target=2"),
    "pi": ("control=pi", "control.target=5", "control.ki=0.01"),
    "geco": ("control=geco", "control.target=20"),
}
every_law = pytest.mark.parametrize("law", CONTROLS)


@every_law
def test_weight_is_what_the_law_makes_of_the_logged_figures(law, compose_config, tmp_path, curve):
    """The weight of a step comes from the steps before it, replayed here from the curves."""
    config = compose_config(*CONTROLS[law], "trainer.log_every_n_steps=1")
    assert run.execute(config, tmp_path, {}).status == "finished"
    (controller,) = (r.penalty.controller for r in assemble(config).remedies if r.penalty is not None)
    figures = curve("train/distortion" if law == "geco" else "train/rate")
    weights, state = curve("coef/control"), controller.start()
    assert len(weights) == len(figures) == 20
    for step in range(1, 20):
        state, weight = controller(state, torch.tensor(figures[step]))
        assert weights[step + 1] == pytest.approx(weight.item(), rel=1e-5), step
    assert weights[20] != pytest.approx(weights[1], rel=1e-3)


@every_law
def test_controllers_see_training_batches_only(law, compose_config, fit, monkeypatch):
    ends, seen = [], []
    original = Control.on_train_batch_end

    def spy(self, trainer, module, outputs, *rest):
        seen.append(
            (module.training, float(image_mean(getattr(outputs["output"].terms, self.penalty.controller.measures))))
        )
        original(self, trainer, module, outputs, *rest)

    monkeypatch.setattr(Control, "on_train_batch_end", spy)
    for every in (4, 20):
        parts, _ = fit(compose_config(*CONTROLS[law], f"trainer.val_check_interval={every}"))
        ends.append((parts.model.penalty.state.clone(), parts.model.penalty.weight.clone()))
    assert all(torch.equal(*pair) for pair in zip(*ends, strict=True))
    assert all(training for training, _ in seen)
    assert len(seen) == 40 and seen[:20] == seen[20:]


@every_law
def test_checkpoint_is_the_last_and_holds_the_state_that_its_loss_was_weighed_with(
    law, compose_config, tmp_path, curve
):
    config = compose_config(*CONTROLS[law], "model.beta=2")
    result = run.execute(config, tmp_path, {})
    assert (result.checkpoint, result.checkpoint_step) == ("last.ckpt", 20)
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()
    held = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    start = assemble(config).model.penalty
    assert not torch.equal(held["penalty.state"], start.state)
    assert not torch.equal(held["penalty.weight"], start.weight)
    model = vae_lab.load(tmp_path)
    assert torch.equal(model.penalty.state, held["penalty.state"])
    weight = model.penalty.price()
    assert weight == held["penalty.weight"].item()
    loss, rate, distortion = (curve(f"val/{name}")[20] for name in ("loss", "rate", "distortion"))
    assert loss == pytest.approx(distortion + 2 * weight * rate, rel=1e-5)


def test_pi_holds_the_rate_of_a_training(compose_config, tmp_path):
    lengths = ("trainer.max_steps=300", "trainer.val_check_interval=300")
    settings = ("control=pi", "control.target=6", "control.ki=0.01", *lengths)
    metrics = run.execute(compose_config(*settings), tmp_path, {}).metrics
    assert metrics["test/rate"] == pytest.approx(6, abs=1.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("control=pi", "control.law=p"), r"control\.law=p: must be one of adaptive, pi, geco"),
        (("control=pi", "control.target=0"), r"control\.target=0: must be a finite number > 0"),
        (("control=pi", "control.low=2", "control.high=1"), r"control\.high=1: must be a finite number > 2"),
        (("control=geco", "control.target=20", "+control.ki=1"), r"control\.ki=1: no such setting"),
        (("free_bits=adaptive", "free_bits.high=0.5"), r"free_bits\.start_weight=1\.0: must be"),
    ],
)
def test_mistakes_are_refused_by_their_place_in_the_config(settings, message, compose_config):
    with pytest.raises(ConfigError, match=f"^{message}"):
        assemble(compose_config(*settings))
