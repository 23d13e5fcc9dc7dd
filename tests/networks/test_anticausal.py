"""The anti-causal encoder: each step of the latent depends on all that comes and on nothing that has been."""

import pytest
import torch
from torch import nn

from vae_lab.checks import ConfigError
from vae_lab.config.build import build
from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.elbo.priors import AR1
from vae_lab.models import DeltaVAE
from vae_lab.networks import AntiCausalEncoder, MLPDecoder

CASES = [  # image, latent_dim, steps, layers
    ((1, 4, 4), 8, 4, 2),
    ((3, 4, 4), 4, 2, 3),
    ((1, 5, 5), 12, 4, 2),  # 7, 6, 6, 6 pixels
    ((2, 3, 5), 14, 7, 1),  # 3, 2, 2, 2, 2, 2, 2 pixels
    ((1, 2, 3), 6, 6, 2),  # a pixel each
]
every_case = pytest.mark.parametrize(("image", "latent_dim", "steps", "layers"), CASES)


def make(image, latent_dim, steps, layers=2, hidden=32, seed=0):
    torch.manual_seed(seed)
    return AntiCausalEncoder(image, latent_dim, steps, hidden, layers)


def slopes(encoder, image, latent_dim):
    """How location and raw scale, each sorted by the prior into steps, move with each pixel: (2, T, S, C, H·W)."""
    prior = AR1(1.0, latent_dim, encoder.steps)

    def answer(x):
        return torch.stack([prior.sequence(part[0]) for part in encoder(x[None])])

    total = sum(torch.func.jacrev(answer)(torch.randn(image)).abs() for _ in range(20))
    return total.flatten(-2)


@every_case
def test_shapes(image, latent_dim, steps, layers):
    location, raw_scale = make(image, latent_dim, steps, layers)(torch.randn(3, *image))
    assert location.shape == raw_scale.shape == (3, latent_dim)
    assert (location - raw_scale).abs().min() > 1e-6


@every_case
def test_a_step_depends_on_its_segment_and_those_after_it_only(image, latent_dim, steps, layers):
    jacobian = slopes(make(image, latent_dim, steps, layers), image, latent_dim)
    segments = torch.arange(image[1] * image[2]).tensor_split(steps)
    assert {len(segment) for segment in segments} <= {len(segments[-1]), len(segments[-1]) + 1}
    for t in range(steps):
        for s, segment in enumerate(segments):
            part = jacobian[:, t][..., segment]
            assert (part > 0).all() if s >= t else (part == 0).all(), (t, s)


def test_a_posterior_of_the_last_step_sees_the_last_segment_alone():
    encoder = make((1, 4, 4), 8, 4)
    x, y = torch.randn(2, 3, 1, 4, 4)
    y[..., -1, :] = x[..., -1, :]
    for one, other in zip(encoder(x), encoder(y), strict=True):
        torch.testing.assert_close(one[:, -2:], other[:, -2:])
        assert (one[:, :-2] - other[:, :-2]).abs().min() > 1e-6


def test_images_of_a_batch_do_not_see_each_other():
    encoder, x = make((1, 5, 5), 12, 4), torch.randn(6, 1, 5, 5)
    torch.testing.assert_close(encoder(x)[0][2:3], encoder(x[2:3])[0])


def test_widths_are_the_widths():
    kernels = [tuple(p.shape) for p in make((3, 4, 5), 8, 4, layers=3, hidden=9).parameters() if p.ndim > 1]
    assert kernels == [(9, 4), (9, 15, 4), (9, 9, 1), (9, 9, 1), (4, 9, 1)]


def test_the_posterior_nearest_to_the_prior_can_be_had_without_the_image():
    encoder = make((1, 4, 4), 8, 4, hidden=16).double()
    prior, x = AR1(3.0, 8, 4).double(), torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(encoder.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def rate():
        location, log_variance = encoder(x)
        return prior.rate(location, (0.5 * log_variance).exp()).sum(1).mean()

    def closure():
        optimizer.zero_grad()
        loss = rate()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert rate().item() == pytest.approx(3.0, rel=1e-3)


def test_compiles_and_stacks(check_compiles_and_stacks):
    image, latent_dim, steps = CASES[2][:3]
    models = []
    for seed in range(3):
        parts = {"encoder": make(image, latent_dim, steps, seed=seed), "decoder": MLPDecoder(image, latent_dim, [8])}
        models.append(DeltaVAE(**parts, likelihood=Bernoulli(), latent_dim=latent_dim, steps=steps))
    inputs = torch.rand(8, *image), torch.randn(1, 8, latent_dim)
    check_compiles_and_stacks(models, *inputs, read=lambda output: output.loss)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 3}, "steps=3: must divide latent_dim=8"),
        ({"steps": 1}, "steps=1: must be a whole number >= 2 and <= 6"),
        ({"steps": 8}, "steps=8: must be a whole number >= 2 and <= 6"),
        ({"hidden": 0}, "hidden=0: must be a whole number >= 1"),
        ({"layers": 0}, "layers=0: must be a whole number >= 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        AntiCausalEncoder((1, 2, 3), 8, **{"steps": 2} | arguments)


def test_its_steps_are_those_of_the_model(compose_config):
    config = compose_config("model=delta_vae", "model.latent_dim=8", "model.steps=4", "encoder=anticausal")
    encoder = build(config["encoder"], "encoder", nn.Module, image_shape=(1, 4, 4), latent_dim=8)
    assert (type(encoder), encoder.steps) == (AntiCausalEncoder, 4)
    with pytest.raises(ConfigError, match=r"^encoder\.steps: .*model\.steps"):
        compose_config("model=vae", "encoder=anticausal")
