"""Models, likelihoods, decoders and kinds of data in combination: each trains to a record that says finished."""

import json
import math
from itertools import product

import numpy as np
import pytest
from tests.conftest import config_of

from vae_lab.checks import ConfigError
from vae_lab.runs.result import Result
from vae_lab.training.run import execute

STEPS = ("trainer.max_steps=4", "trainer.val_check_interval=2", "data.batch_size=8")
MODELS = {
    **{name: (f"model={name}",) for name in ("vae", "beta_vae", "bn_vae", "info_vae")},
    "info_vae unbiased": ("model=info_vae", "model.estimator=unbiased", "model.bandwidth=median"),
    "delta_vae": ("model=delta_vae",),
    "delta_vae independent": ("model=delta_vae", "model.variant=independent"),
}
LIKELIHOODS = (
    *("bernoulli", "continuous_bernoulli", "discretized_logistic"),
    *("gaussian", "gaussian_learned", "gaussian_optimal"),
)
DECODERS = ("mlp", "conv", "linear", "pixelcnn")
RNG = np.random.default_rng(0)
KINDS = {  # of data: what the file holds
    "uint8": RNG.integers(0, 256, (60, 8, 8), dtype=np.uint8),
    "thirty images": RNG.random((30, 8, 8)),
    "odd size": RNG.random((40, 7, 5)),
    "one row": RNG.random((40, 1, 9)),
    "one pixel": RNG.random((40, 1, 1)),
    "constant": np.full((40, 8, 8), 0.5),
    "black": np.zeros((40, 8, 8), np.uint8),
    "bool": RNG.random((40, 8, 8)) > 0.5,
    "two channels": RNG.random((40, 8, 8, 2)),
    "four channels": RNG.integers(0, 256, (40, 8, 4, 4), dtype=np.uint8),
    "real numbers": 5 * RNG.standard_normal((40, 8, 8)),
}
CANNOT = {  # what is refused, and by which words
    ("conv", "odd size"): "stages need height and width divisible",
    ("conv", "one row"): "stages need height and width divisible",
    ("conv", "one pixel"): "stages need height and width divisible",
}
LEVELS = {"uint8", "black", "bool", "four channels"}  # whose pixels are k/255
UNIT_INTERVAL = {"bernoulli", "continuous_bernoulli", "discretized_logistic"}
ROWS = list(product(MODELS, LIKELIHOODS, DECODERS, KINDS, (1, 4)))


def refusal(model, likelihood, decoder, kind, latent_dim):
    """The words by which a combination is refused; None where it trains."""
    if (decoder, kind) in CANNOT:
        return CANNOT[decoder, kind]
    if model == "delta_vae" and latent_dim == 1:
        return "must divide latent_dim=1"
    if likelihood in UNIT_INTERVAL and kind == "real numbers":
        return "use likelihood=gaussian"
    if likelihood == "discretized_logistic" and kind not in LEVELS:
        return "give the number of levels"
    return None


def pairs_of(rows):
    """A few of the rows that hold, together, each pair of values of any two columns that any row holds."""
    order = [rows[i] for i in np.random.default_rng(1).permutation(len(rows))]
    seen, chosen = set(), []
    for fewest in (10, 8, 6, 4, 2, 1):  # new pairs that a row must bring
        for row in order:
            pairs = {(i, row[i], j, row[j]) for i in range(len(row)) for j in range(i)}
            if len(pairs - seen) >= fewest:
                seen |= pairs
                chosen.append(row)
    return chosen


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The path of the file of each kind of data."""
    folder = tmp_path_factory.mktemp("kinds")
    for name, images in KINDS.items():
        np.savez(folder / f"{name}.npz", images=images)
    return {name: folder / f"{name}.npz" for name in KINDS}


def check(row, files, directory):
    """Train a few steps, and hold the record to what it promises."""
    model, likelihood, decoder, kind, latent_dim = row
    encoder = "conv" if decoder == "conv" else "mlp"
    config = config_of(
        *STEPS, *MODELS[model], f"likelihood={likelihood}", f"decoder={decoder}", f"encoder={encoder}",
        f"model.latent_dim={latent_dim}", "data=npz", f"data.path=\"{files[kind]}\"",
    )  # fmt: skip
    if words := refusal(*row):
        with pytest.raises(ConfigError, match=words):
            execute(config, directory, {})
        return
    assert execute(config, directory, {}).status == "finished"
    record = Result.read(directory)
    assert json.loads((directory / "result.json").read_text())["status"] == "finished"
    for name in ("rate_dim", "shuffle_gap_dim", "shuffle_gap_dim_se", "below_epsilon_dim"):
        assert len(record.figures_by_dimension(name)) == latent_dim, name
    for name in ("elbo", "rate", "mutual_information", "mutual_information_upper", "shuffle_gap", "nll"):
        assert math.isfinite(record.figure(name)), name


@pytest.mark.parametrize("model", [model for model in MODELS if model != "delta_vae"])  # a sequence has two steps
def test_every_model_trains_with_one_latent(model, files, tmp_path):
    check((model, "bernoulli", "mlp", "uint8", 1), files, tmp_path)


@pytest.mark.parametrize("row", pairs_of([row for row in ROWS if refusal(*row) is None]), ids=str)
def test_each_pair_of_values_trains(row, files, tmp_path):
    check(row, files, tmp_path)


@pytest.mark.parametrize("row", pairs_of([row for row in ROWS if refusal(*row)])[:20], ids=str)
def test_what_cannot_train_is_refused_in_words(row, files, tmp_path):
    check(row, files, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_everything_trains_or_is_refused(model, likelihood, files, tmp_path):
    for number, row in enumerate(row for row in ROWS if row[:2] == (model, likelihood)):
        check(row, files, tmp_path / str(number))
