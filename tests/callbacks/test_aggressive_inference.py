"""Aggressive inference: who trains at which step, to the bit, and when it is over."""

import copy
import math
from itertools import groupby

import pytest
import torch
from lightning.pytorch import Callback

import vae_lab
from vae_lab.callbacks import AggressiveInference
from vae_lab.checks import ConfigError
from vae_lab.training import run
from vae_lab.training.assembly import assemble

ROWS = ("inference=aggressive", "inference.window=2", "inference.max_encoder_steps=3", "inference.patience=100")
LOGGED = ("trainer.log_every_n_steps=1", "trainer.val_check_interval=20")


class Watch(Callback):
    """For each step: who was to train, and the names of the parameters that moved."""

    def __init__(self):
        self.steps = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.before = copy.deepcopy(dict(pl_module.named_parameters()))
        (self.remedy,) = (c for c in trainer.callbacks if isinstance(c, AggressiveInference))
        self.who = "joint" if not self.remedy.active else "encoder" if self.remedy.training_encoder else "decoder"

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        moved = {name for name, p in pl_module.named_parameters() if not torch.equal(p, self.before[name])}
        self.steps.append((self.who, moved))


def sides(model):
    """The names of the decoder's side, written out as prefixes, and of all others."""
    names = {name for name, _ in model.named_parameters()}
    decoder = {name for name in names if name.split(".")[0] in ("decoder", "likelihood")}
    return {"decoder": decoder, "encoder": names - decoder, "joint": names}


MODELS = {
    "beta": (),
    "bn": ("model=bn_vae",),
    "delta": ("model=delta_vae",),
    "learned_variance": ("likelihood=gaussian_learned",),
    "optimal_variance": ("likelihood=gaussian_optimal",),
    "pixelcnn": ("decoder=pixelcnn", "decoder.channels=4", "decoder.receptive_field=2"),
    "adamw": ("optimizer=adamw", "optimizer.weight_decay=0.5"),
    "momentum": ("optimizer=sgd", "optimizer.momentum=0.9"),
    "clipped": ("+trainer.gradient_clip_val=1.0",),
    "free_bits": ("free_bits=total",),
}
ALONE = {"bn": "shift", "delta": "sampling_prior.", "learned_variance": "likelihood.log_variance"}


@pytest.mark.parametrize("model", MODELS)
def test_what_does_not_train_does_not_move_by_a_bit(model, compose_config, fit):
    """Neither gradient, nor moments of steps before, nor weight decay reach it."""
    watch = Watch()
    parts, trainer = fit(compose_config(*ROWS, *MODELS[model], "trainer.val_check_interval=20"), watch)
    names, seen = sides(parts.model), [who for who, _ in watch.steps]
    assert {"encoder", "decoder"} == set(seen)
    for who, moved in watch.steps:
        assert moved and moved <= names[who], who
    for side in ("encoder", "decoder"):
        assert set().union(*(moved for who, moved in watch.steps if who == side)) == names[side]
    if model in ALONE:
        side = "decoder" if model == "learned_variance" else "encoder"
        assert any(name.startswith(ALONE[model]) for name in names[side])
    assert all(parameter.requires_grad for parameter in parts.model.parameters())
    state = trainer.optimizers[0].state
    if "exp_avg" in next(iter(state.values())):
        counted = {name: int(state[p]["step"]) for name, p in parts.model.named_parameters()}
        assert counted == {name: seen.count(side) for side in ("encoder", "decoder") for name in names[side]}


def test_every_step_counts_as_one(compose_config, tmp_path, curve):
    result = run.execute(compose_config(*ROWS, *LOGGED, "annealing=linear", "annealing.steps=10"), tmp_path, {})
    assert result.steps == 20
    assert list(curve("train/loss")) == list(range(1, 21))
    assert list(curve("val/loss")) == [20]
    assert set(curve("coef/aggressive").values()) == {1.0}
    assert [curve("coef/kl_weight")[step] for step in (1, 6, 20)] == pytest.approx([0, 0.5, 1])


def test_each_step_takes_a_fresh_batch(compose_config, fit):
    class Batches(Callback):
        def __init__(self):
            self.seen = []

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.seen.append(batch.x.clone())

    joint, aggressive = Batches(), Batches()
    fit(compose_config(*LOGGED), joint)
    fit(compose_config(*ROWS, *LOGGED), aggressive)
    assert all(torch.equal(*pair) for pair in zip(joint.seen, aggressive.seen, strict=True))
    assert len(torch.stack(joint.seen).unique(dim=0)) == 20


def test_it_ends_for_good_and_then_all_train(compose_config, fit):
    """No mutual information rises above infinity: the first validation, at step 10, ends it."""
    watch = Watch()
    config = compose_config(*ROWS, "inference.patience=1", "trainer.val_check_interval=10", "trainer.max_steps=30")

    def before(parts):
        (remedy,) = (r for r in parts.remedies if isinstance(r, AggressiveInference))
        remedy.best_score = math.inf

    parts, _ = fit(config, watch, before=before)
    seen = [who for who, _ in watch.steps]
    assert "joint" not in seen[:10]
    assert seen[10:] == ["joint"] * 20
    assert set().union(*(moved for _, moved in watch.steps[10:])) == sides(parts.model)["joint"]
    names = sides(parts.model)
    assert all(moved & names["encoder"] and moved & names["decoder"] for _, moved in watch.steps[10:])


def test_joint_steps_are_those_of_a_run_without_it(compose_config, fit):
    """Over before it begins, it leaves no trace."""

    def before(parts):
        for remedy in parts.remedies:
            if isinstance(remedy, AggressiveInference):
                remedy.active = False

    plain, _ = fit(compose_config())
    over, _ = fit(compose_config("inference=aggressive"), before=before)
    assert all(torch.equal(*pair) for pair in zip(plain.model.parameters(), over.model.parameters(), strict=True))


def test_checkpoint_holds_where_it_stands(compose_config, tmp_path):
    run.execute(compose_config(*ROWS), tmp_path, {})
    content = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    (state,) = (state for name, state in content["callbacks"].items() if name.startswith("AggressiveInference"))
    assert state["active"] is True
    assert state["best_score"] > 0  # the mutual information of the validation at step 20 is in it
    assert vae_lab.load(tmp_path).training is False


# the row of encoder steps


def drive(remedy, losses):
    """Who trained at each of these losses: e or d."""
    who = ""
    for loss in losses:
        who += "e" if remedy.training_encoder else "d"
        remedy.on_train_batch_end(None, None, {"loss": torch.tensor(loss)}, None, 0)
    return who


def rows_of(who):
    return [(letter, len(list(group))) for letter, group in groupby(who)]


@pytest.mark.parametrize(
    ("losses", "who"),
    [
        ([9, 8, 7, 6, 5, 4, 3], "eeeeee" + "d"),  # falling: max_encoder_steps = 6
        ([9, 8, 7, 9, 8, 9], "eeeeee"),  # 8 is lower than 8.5, though 9 is not lower than 7
        ([9, 8, 8, 9, 0, 0, 0], "eeee" + "d" + "ee"),  # 8.5 is not lower than 8.5
        ([9, 8, 9, 9, 0, 0], "eeee" + "d" + "e"),
        ([1, 2, 3], "eee"),  # one window alone has none before it
    ],
)
def test_a_row_ends_when_a_window_is_not_lower_than_the_one_before(losses, who):
    remedy = AggressiveInference(window=2, max_encoder_steps=6)
    assert drive(remedy, [float(loss) for loss in losses]) == who


def test_each_row_begins_anew():
    """A row of low losses does not end the next one, whose first window has none before it."""
    remedy = AggressiveInference(window=2, max_encoder_steps=100)
    assert drive(remedy, [1.0, 1.0, 5.0, 5.0, 0.0, 9.0, 9.0, 8.0, 8.0, 8.0, 8.0, 0.0]) == "eeee" + "d" + "eeeeee" + "d"


@pytest.mark.parametrize(("window", "most"), [(1, 1), (2, 1), (5, 3), (3, 3), (2, 7), (10, 100)])
def test_rows_are_never_longer_than_most_and_decoder_steps_single(window, most):
    falling = [1000.0 - step for step in range(300)]
    rows = rows_of(drive(AggressiveInference(window, most), falling))
    assert {length for letter, length in rows if letter == "d"} <= {1}
    assert {length for letter, length in rows[:-1] if letter == "e"} == {most}


def test_a_level_loss_is_tried_for_two_windows():
    rows = rows_of(drive(AggressiveInference(window=5, max_encoder_steps=100), [7.0] * 200))
    assert rows[:4] == [("e", 10), ("d", 1)] * 2


@pytest.mark.parametrize(
    ("patience", "rises", "lasts"),
    [
        (1, [1.0, 2.0, 3.0, 2.9, 9.0], [True, True, True, False, False]),
        (1, [1.0, 1.0], [True, False]),
        (1, [0.0, -0.1], [True, False]),
        (2, [1.0, 0.9, 1.1, 1.0, 1.05, 9.0], [True, True, True, True, False, False]),
        (2, [1.0, 0.5, 0.9, 9.0], [True, True, False, False]),  # above the last, not above the best
        (1, [math.nan], [False]),
    ],
)
def test_it_lasts_until_the_mutual_information_stops_rising(patience, rises, lasts):
    remedy, seen = AggressiveInference(patience=patience), []
    for figure in rises:
        remedy.judge(figure)
        seen.append(remedy.active)
    assert seen == lasts


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 6, 7, 12, 25])
def test_it_goes_on_from_its_state(after):
    losses = (50 + torch.randn(80, generator=torch.Generator().manual_seed(0))).tolist()
    whole, first, second = (AggressiveInference(window=3, max_encoder_steps=8, patience=2) for _ in range(3))
    expected = drive(whole, losses)
    begun = drive(first, losses[:after])
    first.judge(1.0)
    first.judge(0.5)
    state = copy.deepcopy(first.state_dict())
    assert all(isinstance(value, (bool, int, float)) for value in state.values())
    second.load_state_dict(state)
    assert begun + drive(second, losses[after:]) == expected
    second.judge(0.9)
    assert not second.active


@pytest.mark.parametrize(("key", "value"), [("window", 0), ("max_encoder_steps", 0), ("patience", 0), ("window", 2.5)])
def test_mistakes_are_refused_by_their_place_in_the_config(key, value, compose_config):
    with pytest.raises(ConfigError, match=rf"^inference\.{key}={value}: must be a whole number >= 1"):
        assemble(compose_config("inference=aggressive", f"inference.{key}={value}"))
