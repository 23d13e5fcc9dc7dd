"""PixelCNN: which pixels and which z a pixel's parameters depend on, and that the conditionals make a distribution."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn

from vae_lab.config.build import build
from vae_lab.elbo.likelihoods import Bernoulli, DiscretizedLogistic, Gaussian
from vae_lab.networks import PixelCNN

D = 3
CASES = [  # height, width, receptive field, reach
    (5, 5, 1, 1),
    (6, 7, 2, 1),
    (7, 5, 3, 1),
    (6, 8, 2, 2),
    (9, 7, 4, 2),
    (5, 9, 3, 3),
    (8, 15, 6, 3),
    (4, 3, 8, 2),  # sees further than the image is large
    (1, 9, 3, 1),
    (9, 1, 2, 1),
    (1, 1, 2, 2),
]
every_case = pytest.mark.parametrize(("height", "width", "field", "reach"), CASES)
OPTIONS = [{}, {"features": 0}, {"skip": False}, {"features": 0, "skip": False}]


def make(height, width, field=2, reach=1, seed=0, channels=8, **options):
    """Random weights, float64: so large that everything counts, in enough channels that some ReLU is always open."""
    torch.manual_seed(seed)
    model = PixelCNN((1, height, width), D, channels=channels, receptive_field=field, reach=reach, **options).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


def draw(height, width, n=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 1, height, width, generator=generator, dtype=torch.float64)
    return torch.randn(n, D, generator=generator, dtype=torch.float64), x


def slopes(model, height, width):
    """How the parameters of each pixel move with each pixel: (H, W, H, W), summed over three random images."""
    total = 0
    for seed in range(3):
        z, x = draw(height, width, seed=seed)
        jacobian = torch.func.jacrev(lambda x, z=z: model(z, x))(x)
        total = total + jacobian.abs().reshape(height, width, height, width)
    return total


def expected_sight(height, width, field):
    """Which pixels each pixel sees: those before it in raster order within ``field`` rows and columns."""
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    order = row * width + column

    def pairs(part):
        return part[:, :, None, None] - part[None, None]

    return (pairs(order) > 0) & (pairs(row) <= field) & (pairs(column).abs() <= field)


@every_case
@pytest.mark.parametrize("options", OPTIONS)
def test_a_pixel_sees_exactly_those_before_it_within_the_receptive_field(height, width, field, reach, options):
    """Nothing at or after it, nothing beyond the field, and no blind spot inside."""
    model = make(height, width, field, reach, **options)
    assert torch.equal(slopes(model, height, width) != 0, expected_sight(height, width, field))


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_pixels_of_mnist_see_nothing_at_or_after_them(reach):
    model = make(28, 28, 8, reach)
    z, x = draw(28, 28, n=4)
    before = model(z, x)
    for row, column in [(0, 0), (0, 27), (13, 14), (20, 1), (27, 0), (27, 27)]:
        other, i = x.clone(), row * 28 + column
        other.flatten(1)[:, i:] = torch.nan
        parameters = model(z, other).flatten(1)[:, : i + 1]
        assert torch.equal(parameters, before.flatten(1)[:, : i + 1]), (row, column)


@pytest.mark.parametrize("options", OPTIONS)
def test_every_pixel_depends_on_every_latent(options):
    model = make(5, 4, **options)
    z, x = draw(5, 4)
    jacobian = torch.func.jacrev(lambda z: model(z, x))(z)
    assert (jacobian.flatten(2).abs() > 0).all()


@pytest.mark.parametrize(("features", "everywhere"), [(0, True), (4, False)])
def test_without_features_z_acts_alike_at_every_place(features, everywhere):
    """Far from the border, on an image of one grey value, all places are alike but for what z writes there."""
    model = make(8, 9, 2, 1, features=features)
    z, x = draw(8, 9, n=5)
    inner = model(z, torch.full_like(x, 0.3))[..., 2:, 2:-2]
    spread = inner.flatten(1).std(1)
    assert (spread < 1e-12).all() if everywhere else (spread > 1e-3).all()


@pytest.mark.parametrize("features", [0, 4])
def test_skip_is_how_many_layers_z_enters(features):
    def entering(skip):
        return [layer.from_z is not None for layer in make(5, 5, 3, 1, features=features, skip=skip).layers]

    assert entering(True) == [True, True, True]
    assert entering(False) == [True, False, False]


@pytest.mark.parametrize("skip", [True, False])
def test_each_layer_that_z_enters_reads_it_on_its_own(skip):
    model, (z, x) = make(5, 5, 3, 1, skip=skip), draw(5, 5, n=6)
    entering = [i for i, layer in enumerate(model.layers) if layer.from_z is not None]

    def moves(kept):
        alone = copy.deepcopy(model)
        for i in entering:
            if i not in kept:
                nn.init.zeros_(alone.layers[i].from_z.weight)
        return (alone(z, x) - alone(2 * z.flip(0), x)).abs().max().item()

    assert all(moves([i]) > 1e-4 for i in entering)
    assert moves([]) == 0


def test_images_of_a_batch_do_not_see_each_other():
    model, (z, x) = make(6, 5), draw(6, 5, n=6)
    torch.testing.assert_close(model(z, x)[2:3], model(z[2:3], x[2:3]))


def test_shape_and_layers_are_what_was_asked():
    model = make(6, 5, 6, 2, channels=7, features=3)
    z, x = draw(6, 5, n=2)
    assert model(z, x).shape == (2, 1, 6, 5)
    assert (len(model.layers), model.image_shape, model.autoregressive) == (3, (1, 6, 5), True)
    first, second = model.layers[:2]
    assert first.vertical.weight.shape == (14, 1, 2, 5)  # before the pixel's own row
    assert second.vertical.weight.shape == (14, 7, 3, 5)
    assert (first.horizontal.weight.shape, second.horizontal.weight.shape) == ((14, 1, 1, 2), (14, 7, 1, 3))
    assert [layer.from_z.weight.shape for layer in model.layers] == [(28, 3, 1, 1)] * 3


def test_all_weights_count():
    model = make(5, 5, 3, 1)
    z, x = draw(5, 5, n=4)
    model(z, x).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters())


# the distribution

LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": lambda: Gaussian(0.3),
    "discretized_logistic": lambda: DiscretizedLogistic(levels=4, scale=0.2),
}


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("height", "width", "field", "reach"), [(4, 5, 2, 1), (5, 3, 4, 2), (1, 6, 3, 3)])
def test_log_likelihood_is_the_product_of_its_conditionals(likelihood, height, width, field, reach):
    """Each factor is computed from the pixels before it alone; garbage stands in for the others."""
    model, (z, x) = make(height, width, field, reach), draw(height, width, n=3)
    p = LIKELIHOODS[likelihood]().double()
    x = (x * 3).round() / 3
    with torch.no_grad():
        total = 0
        for i in range(height * width):
            past = x.flatten(1).clone()
            past[:, i:] = 1e3 * torch.randn_like(past[:, i:])
            params = model(z, past.view_as(x)).flatten(1)[:, i]
            total = total + p.log_prob(params.view(-1, 1, 1, 1), x.flatten(1)[:, i].view(-1, 1, 1, 1))
        torch.testing.assert_close(total, p.log_prob(model(z, x), x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 3), (1, 5), (3, 3)])
def test_probabilities_of_all_binary_images_sum_to_one(height, width):
    model = make(height, width)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=height * width)), dtype=torch.float64)
    images = images.view(-1, 1, height, width)
    for z in draw(height, width, n=3)[0]:
        with torch.no_grad():
            log_prob = Bernoulli().log_prob(model(z.expand(len(images), D), images), images)
        assert log_prob.logsumexp(0).item() == pytest.approx(0, abs=1e-12)
        assert log_prob.std() > 0.1


def test_masses_of_all_images_of_three_levels_sum_to_one():
    model, p = make(2, 2), DiscretizedLogistic(levels=3).double()
    images = torch.tensor(list(itertools.product([0.0, 0.5, 1.0], repeat=4)), dtype=torch.float64).view(-1, 1, 2, 2)
    with torch.no_grad():
        log_prob = p.log_prob(model(draw(2, 2)[0].expand(len(images), D), images), images)
    assert log_prob.logsumexp(0).item() == pytest.approx(0, abs=1e-12)


def colour(height, width, channels=3, seed=0, **options):
    """A colour model with random weights, its z and two images, float64."""
    torch.manual_seed(seed)
    size = {"channels": 8, "receptive_field": 2, "reach": 1}
    model = PixelCNN((channels, height, width), D, **size, **options).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model, torch.randn(2, D).double(), torch.rand(2, channels, height, width).double()


@pytest.mark.parametrize("channels", [2, 3])
def test_colours_are_read_in_order(channels):
    """By gradients: a channel of a pixel reads all channels of the pixels before, and of its own those before it."""
    height, width = 4, 5
    slope = 0
    for seed in range(3):
        model, z, x = colour(height, width, channels, seed)
        jacobian = torch.func.jacrev(lambda x, model=model, z=z: model(z[:1], x))(x[:1])
        slope = slope + jacobian.abs().reshape(channels, height * width, channels, height * width)
    before = expected_sight(height, width, 2).view(height * width, height * width)
    same = torch.eye(height * width, dtype=torch.bool)
    for c, other in itertools.product(range(channels), repeat=2):
        expected = before | (same & torch.tensor(other < c))
        assert torch.equal(slope[c, :, other] != 0, expected), (c, other)


@pytest.mark.parametrize("parents", [(0, 2, 1, 0, 2, 1, 2), (0, 0), (1, 0, 2)])
def test_each_parameter_reads_as_many_channels_of_its_pixel_as_its_parents_say(parents):
    model, z, x = colour(3, 4, parents=parents)
    assert model(z, x).shape == (2, len(parents), 3, 4)
    jacobian = torch.func.jacrev(lambda x: model(z, x)[..., 1, 2])(x)[:, :, :, :, 1, 2].abs().sum((0, 2))
    assert torch.equal(jacobian > 0, torch.tensor([[channel < own for channel in range(3)] for own in parents]))


def test_log_likelihood_of_colours_is_the_product_of_its_conditionals():
    model, z, x = colour(2, 3)
    p, x = DiscretizedLogistic(levels=4, scale=0.2).double(), (x * 3).round() / 3
    total = 0
    with torch.no_grad():
        for i, c in itertools.product(range(6), range(3)):
            past = x.flatten(2).clone()
            past[:, c:, i] = past[:, :, i + 1 :] = torch.nan
            params = model(z, past.view_as(x)).flatten(2)[:, c, i]
            total = total + p.log_prob(params.view(-1, 1, 1, 1), x.flatten(2)[:, c, i].view(-1, 1, 1, 1))
        torch.testing.assert_close(total, p.log_prob(model(z, x), x), rtol=1e-10, atol=1e-10)


def test_probabilities_of_all_images_of_two_colours_sum_to_one():
    model, z, _ = colour(1, 3, channels=2)
    images = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64).view(-1, 2, 1, 3)
    with torch.no_grad():
        log_prob = Bernoulli().log_prob(model(z[:1].expand(len(images), D), images), images)
    assert log_prob.logsumexp(0).item() == pytest.approx(0, abs=1e-12)


def test_gradients_are_those_of_finite_differences():
    model, (z, x) = make(3, 3), draw(3, 3)
    inputs = (z.requires_grad_(), x.requires_grad_())
    assert torch.autograd.gradcheck(model, inputs)


def test_options_are_read_from_the_config(compose_config):
    config = compose_config("decoder=pixelcnn", "decoder.receptive_field=3", "decoder.reach=3", "decoder.features=0")
    model = build(config["decoder"], "decoder", nn.Module, image_shape=(1, 8, 8), latent_dim=D)
    assert len(model.layers) == 1
    assert model.layers[0].from_z.in_channels == D
    assert math.prod(model.z_map(torch.zeros(2, D)).shape) == 2 * D


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"receptive_field": 3}, "receptive_field=3: must be a multiple of reach=2"),
        ({"receptive_field": 1}, "receptive_field=1: must be a multiple of reach=2"),
        ({"receptive_field": 0}, "receptive_field=0: must be a whole number >= 1"),
        ({"reach": 0}, "reach=0: must be a whole number >= 1"),
        ({"reach": 1.0}, "reach=1.0: must be a whole number >= 1"),
        ({"channels": 0}, "channels=0: must be a whole number >= 1"),
        ({"features": -1}, "features=-1: must be a whole number >= 0"),
        ({"skip": "off"}, "skip=off: must be true or false"),
        ({"skip": 1}, "skip=1: must be true or false"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        PixelCNN(**{"image_shape": (1, 8, 8), "latent_dim": D, "reach": 2} | options)
