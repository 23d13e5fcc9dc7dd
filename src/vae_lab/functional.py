"""The remedies as functions, for a training loop of one's own: tensors in, tensors out; nothing is kept between calls.

Shapes: B batch, D latent; images are (B, C, H, W) or of any other shape that begins with B. A KL is (B, D), that of
each image and dimension, in nats; a loss sums the distortion over pixels and takes the mean over the batch:

loss = distortion.mean() + cost, where without a remedy the cost is kl.sum(1).mean()

They are the same code as the callbacks and models of vae_lab. ``docs/own_code.md`` shows each in a loop.
"""

from typing import Any

import torch
from torch import Tensor, nn

from vae_lab.checks import ArgumentError, choice, number
from vae_lab.collective import batch_mean
from vae_lab.elbo import controllers, divergences, likelihoods, penalties
from vae_lab.elbo.schedules import make_schedule
from vae_lab.networks import batch_norm


def free_bits(kl: Tensor, epsilon: float = 0.25, mode: str = "dimension") -> Tensor:
    """The cost of a KL of which ε is free (Kingma et al. 2016), by ``dimension``, by ``sample``, or of the ``total``.

    cost = Σ_d max(ε, mean_b KL_bd),  mean_b Σ_d max(ε, KL_bd)  or  max(ε, mean_b Σ_d KL_bd)

    It does not pull a dead dimension up: below ε its gradient is 0. And it is not the KL: log that beside it.

    Args:
        kl: (B, D), nats.
        epsilon: ε, nats per dimension; with ``total`` nats per image.
        mode: what is clamped.

    Returns:
        (), nats per image.

    Raises:
        ArgumentError: for an unknown mode, a negative ε, and a KL of another shape.

    Example:
        >>> free_bits(torch.tensor([[0.2, 1.0], [0.4, 2.0]]), epsilon=1.0)
        tensor(2.5000)
    """
    low = kl.new_tensor(number("epsilon", epsilon, low=0))
    return penalties.free_bits(by_dimension(kl), low, choice("mode", mode, penalties.FREE_BITS))


def kl_annealing(step: int, schedule: str = "linear", *, steps: int, **options: Any) -> float:
    """The weight of the KL at an optimizer step, by a schedule such as ``linear`` or ``cyclical``.

    loss = distortion.mean() + kl_annealing(step, steps=10_000) * kl.sum(1).mean()

    Sønderby et al. 2016 (linear), Bowman et al. 2016 (sigmoid), Fu et al. 2019 (cyclical). It does not change which
    optimum the final loss has: where that asks for collapse, the KL falls again as the weight rises.

    Args:
        step: counted from 0.
        schedule: one of ``vae_lab.elbo.schedules.SCHEDULES`` but ``constant``.
        steps: its length.
        options: its other arguments: ``start``, ``stop``; ``cycles`` and ``ratio``; ``steepness``.

    Raises:
        ArgumentError: for an unknown schedule, and for what it refuses.

    Example:
        >>> kl_annealing(25, steps=100)
        0.25
        >>> kl_annealing(20, "cyclical", steps=100, cycles=2)
        0.8
    """
    return make_schedule(schedule, steps=steps, **options)(step)


def capacity(kl: Tensor, target: float, gamma: float = 10.0) -> Tensor:
    """The cost of a KL that lies beside a capacity C (Burgess et al. 2018).

    cost = γ |mean_b Σ_d KL_bd - C|

    Below C it pulls the KL up. It does not see to it that what is encoded is of use: where γ outweighs the distortion
    (the paper's 1000 does on most data), the KL sits at C and z carries nothing.

    Args:
        kl: (B, D), nats.
        target: C, nats per image; let it grow over the training: ``25 * kl_annealing(step, steps=100_000)``.
        gamma: γ, what a nat beside C costs.

    Returns:
        (), nats per image.

    Raises:
        ArgumentError: for a negative C, a γ that is not positive, and a KL of another shape.

    Example:
        >>> capacity(torch.tensor([[0.5, 1.0], [1.5, 2.0]]), target=2.0)
        tensor(5.)
    """
    numbers = kl.new_tensor(number("target", target, low=0)), kl.new_tensor(number("gamma", gamma, above=0))
    return penalties.capacity(by_dimension(kl), *numbers)


def pi_controller(
    kl: Tensor,
    integral: Tensor | float = 0.0,
    *,
    target: float,
    kp: float = 0.01,
    ki: float = 0.001,
    low: float = 0.0,
    high: float = 100.0,
) -> tuple[Tensor, Tensor]:
    """The weight of the KL that brings it to a target, by a PI controller (Shao et al. 2020), and its new integral.

    weight = kp / (1 + exp e) + integral + low,  integral ← integral - ki · e,  with e = target - KL

    held between ``low`` and ``high``; the integral stops where the weight meets a bound. It does not hold the KL at
    once: with a small ``ki`` it takes thousands of steps.

    Args:
        kl: (B, D), nats, of this step; no gradient flows through the weight.
        integral: what the step before returned; 0 at first.
        target: the KL to hold, nats per image.
        kp: the proportional gain.
        ki: the integral gain.
        low: the least weight.
        high: the largest.

    Returns:
        The weight () and the integral ().

    Raises:
        ArgumentError: for a number out of its range, and a KL of another shape.

    Example:
        >>> weight, integral = pi_controller(torch.tensor([[5.0, 2.0]]), target=3.0, ki=0.1)
        >>> weight, integral
        (tensor(0.4098), tensor(0.4000))
    """
    checked = {"target": number("target", target, above=0), "kp": number("kp", kp, low=0)}
    checked |= {"ki": number("ki", ki, above=0), "low": number("low", low, low=0)}
    checked |= {"high": number("high", high, above=low)}
    measured = batch_mean(by_dimension(kl).detach().sum(1))
    numbers = {name: measured.new_tensor(value) for name, value in checked.items()}
    state = torch.as_tensor(integral).to(measured)
    following, weight = controllers.proportional_integral(state, measured, **numbers)
    return weight, following


def bn_mean(mean: Tensor, normalise: nn.Module, gamma: float = 0.5, shift: Tensor | float = 0.0) -> Tensor:
    """The posterior means of a BN-VAE (Zhu et al. 2020), which keep a spread of γ over the batch.

    mean = γ · BN(mean) + b,  so that over a training batch E[KL] >= D γ² / 2

    It does not see to it that the decoder uses z: each unit counts as active by construction. It needs batches whose
    statistics mean something, and does nothing to the standard deviations.

    Args:
        mean: (B, D), what the encoder gives.
        normalise: ``torch.nn.BatchNorm1d(D, affine=False)``, a part of the model: it keeps the statistics that stand in
            for the batch's in evaluation.
        gamma: γ > 0, frozen.
        shift: b, (D,), learnt: ``torch.nn.Parameter(torch.zeros(D))``.

    Returns:
        (B, D).

    Raises:
        ArgumentError: when γ is not positive.

    Example:
        >>> bn = torch.nn.BatchNorm1d(1, affine=False)
        >>> bn_mean(torch.tensor([[0.1], [0.3]]), bn, gamma=0.5)
        tensor([[-0.4998], [ 0.4998]])
    """
    return batch_norm.bn_mean(mean, normalise, number("gamma", gamma, above=0), shift)


def mmd(
    z: Tensor,
    prior_sample: Tensor,
    kernel: str = "rbf",
    bandwidth: float | None = None,
    estimator: str = "biased",
) -> Tensor:
    """How far a batch of posterior samples lies from the prior: the squared MMD (Gretton et al. 2012) of InfoVAE.

    loss = distortion.mean() + (1 - α) kl.sum(1).mean() + (α + λ - 1) mmd(z, prior_sample)

    Zhao, Song & Ermon 2019. It asks that all posteriors together look like the prior, and lets each be as narrow as it
    likes. It does not estimate well from few samples, and says little in many dimensions.

    Args:
        z: (B, D), one sample of each image's posterior.
        prior_sample: (M, D), samples of the prior: ``torch.randn_like(z)``.
        kernel: ``rbf``, exp(-r²/2ℓ²), or ``imq``, C/(C+r²).
        bandwidth: ℓ² or C; D for ``rbf`` and 2D for ``imq`` when None.
        estimator: ``biased``, never negative, or ``unbiased``.

    Returns:
        (), dimensionless.

    Raises:
        ArgumentError: for an unknown kernel or estimator, or a bandwidth that is not positive.

    Example:
        >>> mmd(torch.tensor([[0.0], [1.0]]), torch.tensor([[3.0], [4.0]]))
        tensor(1.5276)
    """
    choice("kernel", kernel, divergences.KERNELS)
    choice("estimator", estimator, divergences.ESTIMATORS)
    wide = divergences.bandwidth_of(kernel, z.shape[1]) if bandwidth is None else bandwidth
    return divergences.mmd(z, prior_sample, kernel, z.new_tensor(number("bandwidth", wide, above=0)), estimator)


def optimal_sigma(reconstruction: Tensor, x: Tensor) -> Tensor:
    """The σ of a Gaussian likelihood that suits a batch best: the σ-VAE (Rybkin et al. 2021).

    σ² = mean over batch and pixels of (x - reconstruction)²,  log σ softly clipped at -6 from below

    distortion = -Normal(reconstruction, σ).log_prob(x).flatten(1).sum(1)

    It balances distortion and KL in place of a β. It does not serve an evaluation: there take a running average of
    the training batches', or each test batch sets its own σ.

    Args:
        reconstruction: (B, ...), the decoder's output; gradients pass through.
        x: (B, ...), the data.

    Returns:
        (), in units of a pixel.

    Example:
        >>> optimal_sigma(torch.zeros(2, 1, 2, 2), torch.full((2, 1, 2, 2), 0.5))
        tensor(0.5025)
    """
    return (0.5 * likelihoods.optimal_log_variance(reconstruction, x)).exp()


def by_dimension(kl: Tensor) -> Tensor:
    """The KL as it is.

    Raises:
        ArgumentError: when it is not that of each image and dimension, (B, D).
    """
    if kl.ndim != 2:
        raise ArgumentError("kl", tuple(kl.shape), "must be (B, D), the KL of each image and dimension, not summed")
    return kl
