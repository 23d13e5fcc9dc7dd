"""The monitor measures at its interval, leaves training alone, and warns once."""

import copy
import warnings

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import vae_lab
from vae_lab.elbo.divergences import kl_standard_normal
from vae_lab.examination.beginning import AGAIN, NEVER, Measurement, warning
from vae_lab.examination.monitor import CollapseWarning


def used(step):
    return Measurement(step, rate=5.0, gap=4.0, gap_se=0.1, mutual_information=3.0)


def idle(step):
    return Measurement(step, rate=0.01, gap=0.01, gap_se=0.02, mutual_information=0.0)


def test_a_collapse_begins_where_z_was_used_and_is_no_more():
    history = [used(1), used(2), idle(3), idle(4)]
    assert "from step 3 on" in warning(history) and "4.00 at step 1" in warning(history)
    assert [bool(warning(history[:n])) for n in range(1, 5)] == [False, False, False, True]
    assert AGAIN == 2


def test_a_gap_by_chance_does_not_hide_a_collapse():
    by_chance = Measurement(4, rate=0.001, gap=0.5, gap_se=0.01, mutual_information=0.0)
    assert "from step 3 on" in warning([used(1), used(2), idle(3), by_chance])


def test_a_training_that_has_only_begun_is_given_time():
    assert not warning([idle(i) for i in range(NEVER - 1)])
    assert "from the start" in warning([idle(i) for i in range(NEVER)])
    assert not warning([])


def test_figures_are_those_of_the_last_examples(plain, x):
    monitor = vae_lab.CollapseMonitor(plain.encode, plain.decode, likelihood="bernoulli", every=2, images=30)
    assert monitor.compute() == {}
    measured = [monitor.update((x[:20], None)), monitor.update(x[10:])]
    assert measured == [False, True]
    plain.eval()
    mean, log_variance = plain.encode(x[10:])
    rates = kl_standard_normal(mean, (0.5 * log_variance).exp()).mean(0)
    assert monitor.compute()["rate_dim"] == pytest.approx(rates.tolist(), rel=1e-5)
    assert {"mutual_information", "shuffle_gap", "shuffle_gap_se", "active_units", "elbo"} <= set(monitor.compute())
    assert [m.step for m in monitor.history] == [2]


def test_it_keeps_no_more_than_it_measures(plain, x):
    monitor = vae_lab.CollapseMonitor(plain.encode, plain.decode, likelihood="bernoulli", every=100, images=30)
    for _ in range(97):
        monitor.update(x)
    assert not monitor.kept
    monitor.update(x)
    monitor.update(x)
    assert sum(map(len, monitor.kept)) <= 40


class Own(LightningModule):
    """A person's own module, which collapses as β grows."""

    def __init__(self, network, beta):
        super().__init__()
        self.network, self.beta = network, beta

    def encode(self, x):
        return self.network.encode(x)

    def decode(self, z):
        return self.network.decode(z)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mean, log_variance = self.encode(x)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        distortion = functional.binary_cross_entropy(self.decode(z), x, reduction="sum") / len(x)
        return distortion + self.beta * kl_standard_normal(mean, (0.5 * log_variance).exp()).sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.02)


def fit(network, x, folder, *callbacks, steps=60, beta=50.0):
    torch.manual_seed(0)
    module = Own(network, beta)
    options = {"max_steps": steps, "enable_checkpointing": False, "enable_progress_bar": False, "max_epochs": -1}
    quiet = {
        "enable_model_summary": False,
        "accelerator": "cpu",
        "logger": CSVLogger(folder),
        "callbacks": [*callbacks],
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*", UserWarning, "lightning.*")
        Trainer(**options, **quiet).fit(module, DataLoader(TensorDataset(x), batch_size=20))
    return module


def test_in_lightning_it_logs_and_warns_and_changes_nothing(plain, x, tmp_path):
    other = copy.deepcopy(plain)
    monitor = vae_lab.CollapseMonitor(likelihood="bernoulli", every=10, images=40)
    with pytest.warns(CollapseWarning, match="from the start, up to step 50.*vae_lab.examine says why") as caught:
        with_it = fit(plain, x, tmp_path / "with", monitor)
    assert sum(issubclass(one.category, CollapseWarning) for one in caught) == 1
    without = fit(other, x, tmp_path / "without")
    for one, two in zip(with_it.parameters(), without.parameters(), strict=True):
        assert one.equal(two)
    table = next((tmp_path / "with").rglob("metrics.csv")).read_text()
    assert "collapse/rate_dim/01" in table and "collapse/shuffle_gap" in table
    assert len(monitor.history) == 6 and with_it.network.training


def test_bad_intervals_are_refused(plain):
    with pytest.raises(ValueError, match="every=0"):
        vae_lab.CollapseMonitor(plain.encode, plain.decode, every=0)
