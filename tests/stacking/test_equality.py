"""A run in a stack is the run alone: the same weights, curves and checkpoints, for every variant and every remedy."""

import csv
import itertools

import pytest
import torch

from vae_lab.training.run import execute

EXACT = ("trainer.precision=64-true", "trainer.max_steps=100", "trainer.val_check_interval=50")
JOBS = (("seed=0",), ("seed=1", "optimizer.lr=0.003"), ("seed=0", "optimizer.lr=0.003"))
KINDS = {
    "vae": ("model=vae",),
    "free bits": ("model.beta=2", "free_bits=dimension"),
    "free bits per sample": ("free_bits=sample",),
    "growing free bits": ("free_bits=growing", "free_bits.steps=70"),
    "adaptive free bits": ("free_bits=adaptive", "free_bits.every=3"),
    "annealing": ("annealing=cyclical", "annealing.steps=80"),
    "capacity": ("annealing=capacity", "annealing.steps=70"),
    "pi": ("control=pi",),
    "geco": ("control=geco", "control.target=20"),
    "delta_vae": ("model=delta_vae",),
    "delta_vae, independent": ("model=delta_vae", "model.variant=independent"),
    "info_vae": ("model=info_vae", "data.binarize=dynamic"),
    "info_vae, median": ("model=info_vae", "model.bandwidth=median", "model.kernel=imq"),
    "bn_vae": ("model=bn_vae",),
    "gaussian": ("likelihood=gaussian",),
    "learned variance": ("likelihood=gaussian_learned",),
    "optimal variance": ("likelihood=gaussian_optimal",),
    "discretized": ("likelihood=discretized_logistic", "likelihood.levels=17"),
    "continuous bernoulli": ("likelihood=continuous_bernoulli",),
    "lr_decay": ("optimizer.lr_decay=cosine", "optimizer=adamw"),
    "momentum, clipped": ("optimizer=sgd", "trainer.gradient_clip_val=1"),
    "skip": ("decoder.skip=true",),
}
SLOW = {
    "pixelcnn": ("decoder=pixelcnn", "data.batch_size=8"),
    "conv": ("encoder=conv", "decoder=conv", "encoder.hidden=16", "decoder.hidden=16", "data.batch_size=8"),
}
# what comes after them takes their mean away: their slope is 0, and Adam follows its rounding
WITHOUT_SLOPE = {KINDS["bn_vae"]: {"encoder.net.2.bias", "normalise.running_mean"}}
FEW = ("adaptive free bits", "bn_vae", "lr_decay")


def distance(one, other):
    """Of two tensors, relative to the norm of the first."""
    return float((one.double() - other.double()).norm() / one.double().norm().clamp(min=1e-30))


def compare(configs, stack, checkpoint, tmp_path, kind, lengths=()):
    made = configs((*EXACT, *lengths, *kind), *JOBS)
    for i, folder in enumerate(stack(made)):
        alone = tmp_path / "alone" / str(i)
        execute(made[i], alone, {})
        one, other = (checkpoint(run)["state_dict"] for run in (alone, folder))
        assert one.keys() == other.keys()
        apart = {name: distance(one[name], other[name]) for name in one}
        assert max(apart[name] for name in apart.keys() - WITHOUT_SLOPE.get(kind, set())) < 1e-8, apart
        assert max(apart.values()) < 1e-5, apart


@pytest.mark.parametrize("kind", FEW)
def test_weights_are_those_of_the_run_alone(configs, stack, checkpoint, tmp_path, kind):
    compare(
        configs, stack, checkpoint, tmp_path, KINDS[kind], ("trainer.max_steps=20", "trainer.val_check_interval=10")
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_weights_after_a_hundred_steps(configs, stack, checkpoint, tmp_path, kind):
    compare(configs, stack, checkpoint, tmp_path, KINDS[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_weights_of_convolutions(compose_config, stack, checkpoint, tmp_path, kind):
    def configs(shared, *jobs):
        return [compose_config("metrics.test.nll.k=0", *shared, *job) for job in jobs]

    compare(configs, stack, checkpoint, tmp_path, SLOW[kind], ("trainer.max_steps=30",))


def rows(folder):
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_curves_and_checkpoints_have_the_form_of_those_of_the_run_alone(configs, stack, checkpoint, tmp_path):
    shared = (
        "free_bits=dimension",
        "optimizer.lr_decay=cosine",
        "trainer.max_steps=25",
        "trainer.val_check_interval=10",
    )
    made = configs(shared, *JOBS)
    for i, folder in enumerate(stack(made)):
        alone = tmp_path / "alone" / str(i)
        execute(made[i], alone, {})
        execute(made[i], folder, {})  # nothing is left to train: its figures
        for name in ("last", "previous", "best"):
            one, other = (checkpoint(run, name) for run in (alone, folder))
            assert_alike(one, other)
        for row, stacked in itertools.zip_longest(rows(alone), rows(folder)):
            assert row.keys() == stacked.keys()
            for figure, value in row.items():
                assert bool(value) == bool(stacked[figure])
                if value and ("elbo" in figure or figure in ("step", "epoch", "coef/free_bits")):
                    assert float(stacked[figure]) == pytest.approx(float(value), rel=1e-3)


def assert_alike(one, other):
    """The same tree, its numbers but for rounding."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_alike(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            assert_alike(*pair)
    elif isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert distance(one, other) < 1e-3
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=1e-4)
    else:
        assert one == other
