"""Remedies in anybody's Trainer: our models, plain loaders, no config."""

from functools import partial

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from vae_lab.callbacks import AggressiveInference, Capacity, Control, FreeBits, KLAnnealing
from vae_lab.elbo.controllers import Adaptive
from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.models import BetaVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

IMAGE, D = (1, 4, 4), 3
LOADERS = {
    "images": lambda x: DataLoader(x, batch_size=16),
    "images_and_labels": lambda x: DataLoader(list(zip(x, range(len(x)), strict=True)), batch_size=16),
}
every_loader = pytest.mark.parametrize("loader", LOADERS)


def make_model():
    torch.manual_seed(0)
    parts = {"encoder": MLPEncoder(IMAGE, D, [16]), "decoder": MLPDecoder(IMAGE, D, [16])}
    optimizer = partial(torch.optim.Adam, lr=0.02)
    return BetaVAE(beta=40.0, likelihood=Bernoulli(), latent_dim=D, optimizer=optimizer, **parts)


def images():
    """Half of them black, half white: a bit that is worth 11 nats, which β = 40 does not pay."""
    return (torch.arange(64) % 2).float().view(-1, 1, 1, 1).expand(-1, *IMAGE)


def make_trainer(tmp_path, callbacks, max_steps=60):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    options = {"enable_model_summary": False, "log_every_n_steps": 1, "accelerator": "cpu"}
    return Trainer(max_steps=max_steps, callbacks=callbacks, default_root_dir=tmp_path, **quiet, **options)


def train(tmp_path, *callbacks, loader="images", max_steps=60):
    """A model after a stock training, and its true rate, nats per image."""
    model, x = make_model(), images()
    make_trainer(tmp_path, list(callbacks), max_steps).fit(model, LOADERS[loader](x))
    with torch.no_grad():
        rate = model(x, torch.zeros(1, len(x), D)).terms.rate.sum(1).mean()
    return model, float(rate)


@every_loader
def test_free_bits_hold_a_rate_that_is_lost_without_them(loader, tmp_path):
    _, without = train(tmp_path, loader=loader)
    model, held = train(tmp_path, FreeBits("total", epsilon=1.5), loader=loader)
    assert without < 0.2
    assert 0.5 < held < 2.0
    assert model.rate_floor() == 1.5


@every_loader
def test_annealing_ends_at_its_last_step(loader, tmp_path):
    annealing = KLAnnealing("linear", steps=1000)
    model, early = train(tmp_path, annealing, loader=loader)
    assert model.kl_weight.item() == pytest.approx(annealing.value(59))
    assert early > train(tmp_path, loader=loader)[1] + 0.3


def test_annealing_and_free_bits_go_together(tmp_path):
    remedies = FreeBits("total", 1.5, "linear", steps=30), KLAnnealing("linear", steps=40)
    model, _ = train(tmp_path, *remedies, max_steps=20)
    assert model.kl_weight.item() == pytest.approx(19 / 40)
    assert model.penalty.epsilon.item() == pytest.approx(1.5 * 19 / 30)


def test_control_takes_a_controller_of_ones_own(tmp_path):
    class Steeper(Adaptive):
        def forward(self, state, measured):
            return super().forward(state, 2 * measured)

    model, _ = train(tmp_path, Control(Steeper(target=1.0, every=1)), max_steps=5)
    assert model.penalty.price() != 1.0
    assert isinstance(model.penalty.controller, Steeper)


def test_what_is_installed_before_is_what_setup_installs(tmp_path):
    model, remedy = make_model(), FreeBits("total", 1.5)
    remedy.install(model)
    remedy.install(model)
    make_trainer(tmp_path, [remedy], max_steps=1).fit(model, LOADERS["images"](images()))
    assert model.penalty is remedy.penalty
    assert [name for name, _ in model.named_buffers() if "penalty" in name] == ["penalty.epsilon"]


class Foreign(LightningModule):
    """A module of somebody else's."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(torch.ones(1)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.parametrize(
    ("remedy", "place"),
    [
        (FreeBits(), "kl_weight; derive it from vae_lab.RateCost"),
        (Capacity(2.0, steps=5), "kl_weight; derive it from vae_lab.RateCost"),
        (Control("pi", target=2.0), "kl_weight; derive it from vae_lab.RateCost"),
        (KLAnnealing(), "kl_weight; derive it from vae_lab.RateCost"),
        (AggressiveInference(), "encoder"),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, str) else part.partition(";")[0],
)
def test_a_module_without_a_place_for_it_is_refused_in_one_line(remedy, place, tmp_path):
    trainer = make_trainer(tmp_path, [remedy])
    with pytest.raises(ValueError, match=rf"^{type(remedy).__name__}: cannot act on Foreign, .* no {place}") as error:
        trainer.fit(Foreign(), LOADERS["images"](images()))
    assert "\n" not in str(error.value)


def test_two_that_price_the_rate_are_refused(tmp_path):
    trainer = make_trainer(tmp_path, [FreeBits(), KLAnnealing(), Control("pi", target=2.0)])
    with pytest.raises(ValueError, match=r"^Control: cannot go with FreeBits: both price the rate$"):
        trainer.fit(make_model(), LOADERS["images"](images()))


def test_aggressive_inference_says_what_it_misses(tmp_path):
    trainer = make_trainer(tmp_path, [AggressiveInference()], max_steps=2)
    loader = LOADERS["images"](images())
    with pytest.raises(ValueError, match=r"^AggressiveInference: needs val/mutual_information, which no callback logs"):
        trainer.fit(make_model(), loader, loader)
