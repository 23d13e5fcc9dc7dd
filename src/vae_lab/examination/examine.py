"""``vae_lab.examine``: any VAE, from a person's own functions to the report of a run."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from vae_lab.checks import ArgumentError, integer
from vae_lab.data import ImageData
from vae_lab.data.images import FEWEST
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.priors import Prior
from vae_lab.examination.adapters import adapted
from vae_lab.examination.behind import modules_behind, place_of, precision_of, undisturbed
from vae_lab.examination.examples import Key, read_examples
from vae_lab.examination.form import Form
from vae_lab.examination.given_data import GivenData
from vae_lab.examination.measuring import measure
from vae_lab.examination.opening import Opening
from vae_lab.examination.report import Report
from vae_lab.examination.told import Told

MOST_AT_ONCE = 500  # examples that are encoded at a time
VALUES_AT_ONCE = 5_000_000  # and numbers: the bound of memory


def examine(
    data: Any,
    *,
    encode: Callable[..., Any] | None = None,
    decode: Callable[..., Any] | None = None,
    model: Any = None,
    likelihood: str | Likelihood | None = None,
    variance: float | None = None,
    scale: str | None = None,
    output: str | None = None,
    distortion: Callable[[Any, Any], Tensor] | None = None,
    beta: float | None = None,
    reduction: str | None = None,
    kl_reduction: str | None = None,
    prior: Prior | Distribution | None = None,
    floor: float | None = None,
    units: str | None = None,
    autoregressive: bool | None = None,
    train: Any = None,
    key: Key = None,
    images: int = 10_000,
    importance_samples: int = 50,
    seed: int = 0,
    name: str | None = None,
) -> Report:
    """Say of any trained VAE how far its posterior collapsed, why, and which line of one's own code to change.

    Args:
        data: what to measure on, best a test set: a tensor or array (N, ...), a Dataset, a DataLoader (tuples and dicts
            too), or an ``ImageData`` of ours. Bytes of pictures are read as 0 to 1; at least ten examples.
        encode: maps x (B, ...) to q(z|x): a pair (mean, second), a ``torch.distributions.Normal``, or a tuple, dict or
            object that holds them. Latents are (B, D) or spatial, (B, C, H, W).
        decode: maps z to pixels, logits, or a ``torch.distributions`` object.
        model: in place of both, a model that an adapter knows (pythae, diffusers), or any with these two methods.
        likelihood: p(x|z): ``bernoulli``, ``continuous_bernoulli``, ``gaussian``, ``laplace`` (an L1 loss), or one of
            ``vae_lab.elbo.likelihoods``. Not needed where ``decode`` gives a distribution; beside ``distortion`` it is
            the name of whatever that is the -log p of.
        variance: σ² of a Gaussian one, 1 when None: ½ of the summed squared error. Without the ½ it is 0.5.
        scale: what the second of a pair is: ``log_variance``, the default, ``stddev``, ``variance`` or ``log_stddev``.
        output: what ``decode`` gives: ``pixels``, the default, ``logits``, or ``parameters`` of a likelihood of ours.
        distortion: f(z, x), one's own -log p(x|z) for each example, (B,). With ``decode`` beside it, an average in
            place of a sum is noticed.
        beta: the weight of the KL in the loss, 1 by default.
        reduction: how the loss takes the distortion over the numbers of an example: ``sum``, the default, or ``mean``.
        kl_reduction: how it takes the KL over the latents, likewise.
        prior: N(0, I) by default; a ``torch.distributions`` object of independent latents, or a prior of ours.
        floor: what free bits or another method hold the KL at, nats per example in all: ε times the number of latents
            for free bits of ε nats per dimension. A KL that sits there says nothing of what z carries.
        units: of spatial latents, what counts as a dimension: ``channel``, the default, or ``element``.
        autoregressive: whether the decoder reads x too, as ``distortion`` may.
        train: the examples that it was trained on, for the spectrum of the data; ``data`` when None.
        key: which entry of a tuple or dict of ``data`` holds the examples, or a function of a batch that gives them.
        images: how many examples are measured at most.
        importance_samples: K of the importance-weighted NLL, 0 for none.
        seed: of the noise.
        name: what to call the model.

    Returns:
        A report to print, to ask and to save.

    Raises:
        ArgumentError: for whatever does not fit, by name; logits that are passed as pixels, too.

    Example:
        >>> from torch import nn
        >>> encoder, decoder = nn.Linear(64, 4), nn.Sequential(nn.Linear(2, 64), nn.Sigmoid())
        >>> x = torch.rand(200, 64, generator=torch.Generator().manual_seed(0))
        >>> report = examine(x, encode=lambda x: encoder(x).chunk(2, dim=1), decode=decoder, likelihood="bernoulli")
        >>> report.verdict in ("none", "partial", "full")
        True
    """
    given = {
        **{"encode": encode, "decode": decode, "likelihood": likelihood, "variance": variance, "scale": scale},
        **{"output": output, "distortion": distortion, "beta": beta, "reduction": reduction, "prior": prior},
        **{"kl_reduction": kl_reduction, "units": units, "autoregressive": autoregressive, "name": name},
        **{"floor": floor, "key": key},
    }
    told = tell(model, {argument: value for argument, value in given.items() if value is not None})
    networks = modules_behind([told.encode, told.decode, told.distortion])
    integer("seed", seed, low=0)
    with undisturbed(networks), torch.no_grad():
        form, examples = open_data(data, train, told.key, images, precision_of(networks), seed)
        opening = Opening(told, examples, form, place_of(networks), precision_of(networks) or torch.float32)
        opened = opening.model(seed)
        picture = form.picture and (told.decode is not None) and not opened.autoregressive
        result = measure(opened, examples, told, opening.notes, picture, importance_samples)
    return Report(result, opened, examples, form, picture, networks)


def tell(model: Any, given: dict[str, Any]) -> Told:
    """What an adapter says of a model, if there is one, and what the person says, which counts more."""
    known = {} if model is None else adapted(model)
    return Told(**{"name": "own model", **known, **given})


def open_data(
    data: Any, train: Any, key: Key, images: int, dtype: torch.dtype | None, seed: int
) -> tuple[Form, ImageData]:
    """The examples, and how they look.

    Raises:
        ArgumentError: when they cannot be read.
    """
    if isinstance(data, ImageData):
        if train is not None:
            raise ArgumentError("train", type(train).__name__, "cannot go with an ImageData, which has a split for it")
        sample = data.batch("test", torch.arange(2)).x
        return Form(tuple(sample.shape[1:]), dtype or sample.dtype, data.image_shape), data
    measured = read_examples(data, key, images)
    if len(measured.x) < FEWEST:
        raise ArgumentError("data", f"{len(measured.x)} examples", f"must be at least {FEWEST}")
    trained = None if train is None else read_examples(train, key, images)
    form = Form.of(measured.x, dtype)
    at_once = max(min(MOST_AT_ONCE, VALUES_AT_ONCE // measured.x[0].numel()), 1)
    return form, GivenData(measured, trained, form, eval_batch_size=at_once, seed=seed)
