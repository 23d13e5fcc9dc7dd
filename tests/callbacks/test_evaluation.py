"""Evaluation: what metrics are given, what their figures are called, and that nothing of a pass stays."""

import gc
from csv import DictReader
from functools import partial

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor
from torchmetrics import MeanSquaredError, Metric

from vae_lab.callbacks import Evaluation
from vae_lab.callbacks.evaluation import KNOWN, flat
from vae_lab.data import Batch, Batches
from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.metrics import ActiveUnits, MutualInformation, RateDistortion, ShuffleGap
from vae_lab.models import VAE
from vae_lab.networks import MLPDecoder, MLPEncoder
from vae_lab.training.assembly import assemble
from vae_lab.training.trainer import make_trainer, quieten

SHAPE, D = (1, 8, 8), 2


TRAINER = {"trainer": {"_target_": "lightning.pytorch.Trainer", "accelerator": "cpu", "max_steps": 1,
                       "val_check_interval": 1, "log_every_n_steps": 1}}  # fmt: skip


def model(dims=D):
    torch.manual_seed(0)
    parts = {"encoder": MLPEncoder(SHAPE, dims), "decoder": MLPDecoder(SHAPE, dims)}
    return VAE(**parts, likelihood=Bernoulli(), latent_dim=dims)


def batch(first, size):
    x = torch.rand(100, *SHAPE, generator=torch.Generator().manual_seed(1))
    indices = torch.arange(first, first + size)
    return Batch(x[indices], indices, labels=indices % 10, factors=torch.stack([indices, -indices], 1))


def passed(evaluation, sizes=(60, 40), split="test"):
    vae, first = model(), 0
    evaluation.start(split, vae)
    for number, size in enumerate(sizes):
        part = batch(first, size)
        with torch.no_grad():
            evaluation.update(split, vae, vae.test_step(part, number), part, number)
        first += size
    return evaluation.compute(split)


class Asked(Metric):
    """Notes what it is given."""

    def __init__(self):
        super().__init__()
        self.add_state("rows", torch.zeros(()), dist_reduce_fx="sum")
        self.given = {}

    def update(
        self, x, indices, labels, factors, loss, extra, mean, stddev, z, params, distortion, rate, noise, target,
        reconstruction, preds,
    ):  # fmt: skip
        self.given = {name: value for name, value in locals().items() if name != "self"}
        self.rows += len(x)

    def compute(self):
        return self.rows


def test_a_metric_may_ask_for_all_that_a_batch_and_its_pass_hold():
    metric = Asked()
    figures = passed(Evaluation(val={}, test={"asked": metric}))
    assert figures == {"asked": 100}  # a figure without a name takes the metric's
    assert set(metric.given) == set(KNOWN)
    last, vae = batch(60, 40), model()
    terms = vae.test_step(last, 1).terms
    assert metric.given["x"].equal(last.x)
    assert metric.given["target"].equal(last.x)
    assert metric.given["labels"].equal(last.labels)
    assert metric.given["factors"].equal(last.factors)
    torch.testing.assert_close(metric.given["rate"], terms.rate)
    for name in ("reconstruction", "preds"):
        torch.testing.assert_close(metric.given[name], terms.params.sigmoid())


def test_a_metric_of_torchmetrics_works_as_it_is():
    figures = passed(Evaluation(val={}, test={"squared_error": MeanSquaredError()}))
    vae, part = model(), batch(0, 100)
    expected = (vae.test_step(part, 0).terms.params.sigmoid() - part.x).square().mean()
    assert figures["squared_error"].item() == pytest.approx(expected.item(), rel=1e-5)


class Units(ActiveUnits):
    """Gives figures that have the names of other figures, and one of several rows."""

    def compute(self) -> dict[str, Tensor]:
        return {"active_units": torch.tensor(-1), "table": torch.arange(6).view(2, 3)}


class OneByDimension(ActiveUnits):
    """Gives a vector, of as many figures as there are latents."""

    def compute(self) -> dict[str, Tensor]:
        return {"mean_dim": torch.cat(self.means).mean(0)}


@pytest.mark.parametrize("dims", [1, 2])
def test_a_figure_per_dimension_is_a_list_however_many_there_are(dims):
    evaluation, vae = Evaluation(val={}, test={"own": OneByDimension(), "elbo": RateDistortion(dims)}), model(dims)
    trainer = make_trainer(TRAINER, callbacks=[evaluation], logger=False, enable_progress_bar=False)
    trainer.test(vae, Batches(partial(iter, [batch(0, 50)])), verbose=False)
    for name in ("test/mean_dim", "test/rate_dim"):
        assert len(evaluation.figures[name]) == dims
    assert isinstance(evaluation.figures["test/rate"], float)


@pytest.mark.parametrize("name", ["a_second", "z_second"])
def test_a_figure_that_exists_already_is_named_after_its_metric(name):
    figures = passed(Evaluation(val={}, test={"elbo": RateDistortion(D), "units": ActiveUnits(), name: Units()}))
    assert figures["active_units"] >= 0
    assert figures[f"{name}_active_units"] == -1
    assert {"elbo", "rate"} <= set(figures)
    assert [key for key, _ in flat({"table": figures["table"]})][:4] == [
        "table/00/00", "table/00/01", "table/00/02", "table/01/00"
    ]  # fmt: skip


def test_a_pass_that_was_broken_off_leaves_no_trace():
    evaluation = Evaluation(val={"elbo": RateDistortion(D)}, test={})
    whole = passed(evaluation, split="val")
    vae, part = model(), batch(0, 10)
    evaluation.start("val", vae)
    evaluation.update("val", vae, vae.test_step(part, 0), part, 0)
    again = passed(evaluation, split="val")
    assert all(again[name].equal(value) for name, value in whole.items())


def tensors_of(rows):
    """How many living tensors have that many rows, or more, of images or latents."""
    gc.collect(0)
    found = (o for o in gc.get_objects() if type(o) is Tensor)
    return sum(1 for o in found if o.ndim in (2, 4) and len(o) >= rows)


@pytest.mark.parametrize("split", ["val", "test"])
def test_nothing_of_a_pass_is_kept(split):
    gap = ShuffleGap(lambda z, x, indices=None: z.sum(1))
    metrics = {"gap": gap, "information": MutualInformation(), "units": ActiveUnits(), "elbo": RateDistortion(D)}
    evaluation = Evaluation(**{"val": {}, "test": {}, split: metrics})
    gc.collect()
    gc.disable()  # a reference cycle would keep them until the next collection
    try:
        before = tensors_of(40)
        passed(evaluation, split=split)
        assert tensors_of(40) == before
    finally:
        gc.enable()
    for metric in metrics.values():
        held = [value for name in metric._defaults if isinstance(value := getattr(metric, name), list)]
        assert not any(held)
        assert metric._computed is None


class Living(Callback):
    """Counts the tensors that live before each training step, but for single figures."""

    def __init__(self):
        self.counts = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.counts.append(sum(type(found) is Tensor and found.numel() > 4 for found in gc.get_objects()))


def living_at_each_step(config):
    """Tensors before each step of a training, without the collector, which would find reference cycles some time."""
    parts, living = assemble(config), Living()
    callbacks = [*parts.remedies, parts.evaluation, living]
    trainer = make_trainer(config, callbacks=callbacks, logger=False, enable_progress_bar=False)
    gc.collect()
    gc.disable()
    try:
        trainer.fit(parts.model, datamodule=parts.data)
    finally:
        gc.enable()
    return living.counts


def test_ten_validations_leave_nothing_behind(compose_config):
    quieten()
    often, once = (
        living_at_each_step(compose_config("trainer.max_steps=11", f"trainer.val_check_interval={interval}"))
        for interval in (1, 11)
    )
    assert len(often) == 11
    assert all(after <= without for after, without in zip(often, once, strict=True))


def test_figures_of_a_validation_reach_other_callbacks_and_the_curves(trained):
    rows = list(DictReader((trained / "metrics.csv").read_text().splitlines()))
    names = ("val/loss", "val/mutual_information", "val/mutual_information_ceiling", "val/rate_dim/03")
    together = [row for row in rows if row.get("val/loss")]
    assert [row["step"] for row in together] == ["9", "19"]
    assert all(row[name] for row in together for name in names)
    assert {name for row in rows for name, value in row.items() if value and name in ("val/psnr", "val/nll")} == set()


@pytest.fixture(scope="module")
def figures_of():
    """The figures of one model on the test split of a data set, by evaluation batch size and order of batches."""
    from tests.conftest import config_of

    def call(size, reverse=False, *overrides):
        quieten()
        parts = assemble(config_of(f"data.eval_batch_size={size}", "metrics.test.nll.k=5", *overrides))
        trainer = make_trainer(config_of(), callbacks=[parts.evaluation], logger=False, enable_progress_bar=False)
        batches = list(parts.data.eval_stream("test"))
        trainer.test(parts.model, Batches(partial(iter, batches[::-1] if reverse else batches)), verbose=False)
        return parts.evaluation.figures

    return call


@pytest.mark.parametrize("overrides", [(), ("model=delta_vae",), ("model=bn_vae",), ("decoder=pixelcnn",)])
@pytest.mark.parametrize(("size", "reverse"), [(37, False), (100, True), (37, True)])
def test_neither_the_size_nor_the_order_of_batches_changes_a_figure(figures_of, size, reverse, overrides):
    one, other = figures_of(100, False, *overrides), figures_of(size, reverse, *overrides)
    assert one.keys() == other.keys()
    assert {"test/nll", "test/shuffle_gap", "test/shuffle_gap_dim", "test/mutual_information"} <= set(one)
    for name, value in one.items():
        assert other[name] == pytest.approx(value, rel=1e-5, abs=2e-6), name


def test_a_stock_trainer_with_plain_tensors_is_measured():
    x = torch.rand(64, *SHAPE, generator=torch.Generator().manual_seed(2))
    metrics = {"elbo": RateDistortion(D), "information": MutualInformation(images=20)}
    evaluation = Evaluation(val=metrics, test={"elbo": RateDistortion(D)})
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_steps=8, callbacks=[evaluation], enable_model_summary=False, **quiet)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x), batch_size=16)
    vae = model()
    trainer.fit(vae, loader, loader)
    assert float(trainer.callback_metrics["val/mutual_information_ceiling"]) == pytest.approx(torch.tensor(20).log())
    trainer.test(vae, loader, verbose=False)
    assert evaluation.figures["test/rate"] > 0
