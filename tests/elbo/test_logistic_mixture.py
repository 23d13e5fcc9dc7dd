"""The mixture of logistics: masses that sum to one, the product of its conditionals, samples and quantiles."""

import itertools

import pytest
import torch

from vae_lab.elbo.logistic_mixture import LEAST_LOG_SCALE, DiscretizedLogisticMixture, LogisticMixture
from vae_lab.models import VAE
from vae_lab.networks import ConvDecoder, MLPEncoder, PixelCNN
from vae_lab.networks.pixel_sampling import sample_pixels

K = 3


def draw(channels, n=1, height=1, width=1, seed=0, spread=1.0):
    """A likelihood of 256 levels, and random parameters of its pixels, float64."""
    p = DiscretizedLogisticMixture(K)
    generator = torch.Generator().manual_seed(seed)
    size = (n, len(p.parents(channels)), height, width)
    return p, spread * torch.randn(size, generator=generator, dtype=torch.float64)


def reference(params, x, channels, levels):
    """The paper's density of one pixel, written with differences of distribution functions in float64."""
    pi = params[:K].softmax(0)
    rest = params[K:].view(-1, K)
    mean, log_scale, slope = rest[:channels], rest[channels : 2 * channels], rest[2 * channels :].tanh()
    y = 2 * x - 1
    total = 0
    for k in range(K):
        mass, pair = pi[k], 0
        for c in range(channels):
            centre = mean[c, k]
            for j in range(c):
                centre = centre + slope[pair, k] * y[j]
                pair += 1
            scale, half = log_scale[c, k].clamp(min=LEAST_LOG_SCALE).exp(), 1 / (levels - 1)
            above = 1.0 if x[c] == 1 else ((y[c] + half - centre) / scale).sigmoid()
            below = 0.0 if x[c] == 0 else ((y[c] - half - centre) / scale).sigmoid()
            mass = mass * (above - below)
        total = total + mass
    return total.log()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_it_is_the_density_of_the_paper(channels):
    p, params = draw(channels, n=20, spread=0.7)
    x = torch.randint(0, 256, (20, channels, 1, 1), generator=torch.Generator().manual_seed(1)).double() / 255
    x[:3] = torch.tensor([0.0, 1.0, 1.0]).view(3, 1, 1, 1)
    expected = [reference(one[:, 0, 0], image[:, 0, 0], channels, 256) for one, image in zip(params, x, strict=True)]
    torch.testing.assert_close(p.log_prob(params, x), torch.stack(expected), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_256_levels_of_a_grey_pixel_sum_to_one(spread):
    p, params = draw(1, n=5, spread=spread)
    x = (torch.arange(256, dtype=torch.float64) / 255).view(-1, 1, 1, 1)
    for one in params:
        log_mass = p.log_prob(one.expand(256, *one.shape), x)
        assert log_mass.logsumexp(0).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_256_levels_of_each_channel_given_those_before_sum_to_the_mass_of_those_before(spread):
    """p(r), p(g|r) and p(b|r,g) are each normalised: levels of the last channel sum to the joint of the others."""
    p, params = draw(3, spread=spread)
    x = (
        torch.tensor([0.2, 0.8, 0.0], dtype=torch.float64)
        .mul(255)
        .round()
        .div(255)
        .view(1, 3, 1, 1)
        .repeat(256, 1, 1, 1)
    )
    x[:, 2, 0, 0] = torch.arange(256) / 255
    of_blue = p.log_prob(params.expand(256, -1, 1, 1), x).logsumexp(0)
    torch.testing.assert_close(of_blue, marginal(params, x[0, :2], 2), rtol=1e-9, atol=1e-9)
    x[:, 1, 0, 0] = torch.arange(256) / 255
    of_green = torch.stack([marginal(params, pixel[:2], 2) for pixel in x]).logsumexp(0)
    torch.testing.assert_close(of_green, marginal(params, x[0, :1], 1), rtol=1e-9, atol=1e-9)


def marginal(params, x, channels):
    """log p of the first channels of a pixel: the mixture without the logistics of the others."""
    mixture = LogisticMixture(params, K, 3, 256)
    pixel = list(x[None].unbind(1))
    parts = [mixture.component(c, pixel).log_prob(pixel[c][:, None]) for c in range(channels)]
    return (torch.stack(parts).sum(0) + mixture.log_weight).logsumexp(1).sum()


@pytest.mark.parametrize("levels", [2, 3])
def test_all_colours_sum_to_one(levels):
    p = DiscretizedLogisticMixture(K, levels)
    params = torch.randn(1, len(p.parents(3)), 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    x = torch.tensor(list(itertools.product(range(levels), repeat=3))).double().div(levels - 1).view(-1, 3, 1, 1)
    assert p.log_prob(params.expand(len(x), -1, 1, 1), x).logsumexp(0).item() == pytest.approx(0, abs=1e-12)


def test_channels_depend_on_one_another():
    """With a steep slope the likeliest blue moves with red."""
    p = DiscretizedLogisticMixture(1)
    params = torch.tensor([0, 0, 0, 0, -3, -3, -3, 0, 3, 0.0]).view(1, 10, 1, 1).repeat(256, 1, 1, 1)
    best = []
    for red in (0.2, 0.8):
        x = torch.full((256, 3, 1, 1), 0.5)
        x[:, 0], x[:, 2, 0, 0] = round(red * 255) / 255, torch.arange(256) / 255
        best.append(p.log_prob(params, x).argmax().item() / 255)
    assert best == pytest.approx([0.2, 0.8], abs=0.01)


def test_pixels_of_an_image_are_summed():
    p, params = draw(3, n=2, height=3, width=2)
    x = torch.randint(0, 256, (2, 3, 3, 2)).double() / 255
    single = p.log_prob(params.permute(0, 2, 3, 1).reshape(12, -1, 1, 1), x.permute(0, 2, 3, 1).reshape(12, 3, 1, 1))
    torch.testing.assert_close(p.log_prob(params, x), single.view(2, 6).sum(1))


def test_quantiles_are_those_of_each_conditional():
    """The lowest level whose cumulative probability reaches u, of each channel given those before it."""
    p = DiscretizedLogisticMixture(K, levels=5)
    params = torch.randn(40, len(p.parents(2)), 1, 1, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    u = torch.rand(40, 2, 1, 1, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    drawn = p.quantile(params, u)
    values = torch.arange(5).double() / 4
    for one, probability, pixel in zip(params, u, drawn, strict=True):
        pairs = torch.cartesian_prod(values, values).view(-1, 2, 1, 1)
        mass = p.log_prob(one.expand(25, -1, 1, 1), pairs).exp().view(5, 5)
        first = int((mass.sum(1).cumsum(0) < probability[0, 0, 0]).sum())
        conditional = mass[first] / mass[first].sum()
        second = int((conditional.cumsum(0) < probability[1, 0, 0]).sum())
        assert [round(4 * value.item()) for value in pixel.flatten()] == [first, second]


def test_mean_of_grey_is_that_of_the_samples():
    p, params = draw(1, n=4, seed=2)
    x = p(params).sample((4000,))
    error = x.std(0) / 4000**0.5
    assert ((x.mean(0) - p(params).mean).abs() < 4 * error + 0.5 / 255).all()
    assert p(params).mean.shape == (4, 1, 1, 1)


def test_mean_of_colour_is_near_that_of_the_samples():
    p, params = draw(3, n=4, seed=2, spread=0.5)
    x = p(params).sample((4000,))
    assert (x.mean(0) - p(params).mean).abs().max() < 0.05  # clipping makes it inexact


def test_gradients_are_finite_where_the_mass_is_tiny():
    p, params = draw(3, n=2, height=2, width=2, spread=30.0)
    params = params.float().requires_grad_()
    loss = p.log_prob(params, torch.randint(0, 256, (2, 3, 2, 2)).float() / 255)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert params.grad.isfinite().all()


def test_samples_of_a_colour_pixelcnn_are_the_quantiles_of_their_conditionals():
    from vae_lab import noise

    torch.manual_seed(0)
    p = DiscretizedLogisticMixture(K, levels=5)
    net = PixelCNN((3, 3, 4), 2, channels=6, receptive_field=2, reach=1, parents=p.parents(3))
    z = torch.randn(5, 2)
    x = sample_pixels(net, p, z, seed=3)
    with torch.no_grad():
        again = p.quantile(net(z, x), noise.uniform((5, 3, 3, 4), seed=3, purpose="pixels"))
    torch.testing.assert_close(x, again)


def test_samples_of_channels_that_read_one_another_are_too():
    from vae_lab import noise
    from vae_lab.elbo.likelihoods import DiscretizedLogistic

    torch.manual_seed(0)
    p, net = DiscretizedLogistic(levels=5, scale=0.3), PixelCNN((3, 3, 4), 2, channels=6, receptive_field=2, reach=1)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    z = torch.randn(5, 2)
    x = sample_pixels(net, p, z, seed=3)
    with torch.no_grad():
        torch.testing.assert_close(x, p.quantile(net(z, x), noise.uniform((5, 3, 3, 4), seed=3, purpose="pixels")))


def test_any_decoder_gives_its_parameters():
    p = DiscretizedLogisticMixture(K)
    shape = (len(p.parents(3)), 8, 8)
    vae = VAE(MLPEncoder((3, 8, 8), 2), ConvDecoder(shape, 2, [4, 4], hidden=8), p, latent_dim=2)
    x = (torch.rand(4, 3, 8, 8) * 255).round() / 255
    assert vae(x, torch.randn(1, 4, 2)).terms.params.shape == (4, *shape)
    assert vae.reconstruct(x).shape == x.shape
    assert vae.sample(3).shape == (3, 3, 8, 8)


def test_compiled_and_stacked(check_compiles_and_stacks):
    def made(seed):
        torch.manual_seed(seed)
        p = DiscretizedLogisticMixture(2)
        decoder = PixelCNN((3, 4, 4), 2, channels=4, receptive_field=2, reach=1, parents=p.parents(3))
        return VAE(MLPEncoder((3, 4, 4), 2, [8]), decoder, p, latent_dim=2)

    x = (torch.rand(5, 3, 4, 4) * 255).round() / 255
    check_compiles_and_stacks([made(0), made(1)], x, torch.randn(1, 5, 2), read=lambda out: out.loss)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "components=0: must be a whole number >= 1"),
        ({"levels": 1}, "levels=1: must be a whole number >= 2"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        DiscretizedLogisticMixture(**options)


def test_pixels_between_the_levels_are_refused():
    with pytest.raises(ValueError, match=r"^levels=256: needs pixels k/255 in \[0, 1\]"):
        DiscretizedLogisticMixture().check(torch.full((1, 1, 2, 2), 0.3))
