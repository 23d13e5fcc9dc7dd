"""InfoVAE: the weights of its three terms, recomputed independently."""

import copy

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from torch.distributions import Normal, kl_divergence

from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.elbo.penalties import FreeBitsPenalty
from vae_lab.models import VAE, InfoVAE
from vae_lab.networks import MLPDecoder, MLPEncoder

IMAGE, D, B = (1, 3, 4), 3, 6


def make(model=InfoVAE, **options):
    torch.manual_seed(0)
    networks = {"encoder": MLPEncoder(IMAGE, D, [9]), "decoder": MLPDecoder(IMAGE, D, [9])}
    return model(**networks, likelihood=Bernoulli(), latent_dim=D, **options).double()


def batch():
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(B, *IMAGE, generator=generator, dtype=torch.float64)
    return x, torch.randn(2, B, D, generator=generator, dtype=torch.float64)


def kernel_mean(x, y, kernel, bandwidth, skip_diagonal=False):
    total, pairs = 0.0, 0
    for i, a in enumerate(x):
        for j, b in enumerate(y):
            if skip_diagonal and i == j:
                continue
            r2 = (a - b).pow(2).sum()
            total += torch.exp(-r2 / (2 * bandwidth)) if kernel == "rbf" else bandwidth / (bandwidth + r2)
            pairs += 1
    return total / pairs


def recomputed(model, alpha, lambd, kernel, estimator, bandwidth, kl_weight, scales=(1.0,)):
    x, noise = batch()
    mean, log_variance = model.encoder(x)
    q = Normal(mean, log_variance.exp().sqrt())
    z = q.mean + q.stddev * noise[0]
    distortion = torch.nn.functional.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum") / B
    rate = kl_divergence(q, Normal(torch.zeros_like(mean), 1.0)).sum() / B
    skip = estimator == "unbiased"
    if bandwidth == "median":
        bandwidth = np.median(pdist(torch.cat([z, noise[1]]).detach().numpy(), "sqeuclidean"))
    mmd = 0.0
    for width in (scale * bandwidth for scale in scales):
        within = kernel_mean(z, z, kernel, width, skip) + kernel_mean(noise[1], noise[1], kernel, width, skip)
        mmd = mmd + (within - 2 * kernel_mean(z, noise[1], kernel, width)) / len(scales)
    return distortion + (1 - alpha) * kl_weight * rate + (alpha + lambd - 1) * mmd, mmd


@pytest.mark.parametrize(
    ("alpha", "lambd"), [(0.0, 1.0), (0.0, 1000.0), (1.0, 1.0), (0.4, 7.0), (-2.0, 5.0), (0.4, 0.6)]
)
@pytest.mark.parametrize(("kernel", "bandwidth"), [("rbf", None), ("imq", None), ("rbf", 0.7), ("imq", 0.7)])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_loss_is_distortion_rate_and_mmd_by_their_weights(alpha, lambd, kernel, estimator, bandwidth):
    model = make(alpha=alpha, lambd=lambd, kernel=kernel, estimator=estimator, bandwidth=bandwidth)
    model.kl_weight.fill_(0.3)
    bandwidth = bandwidth or {"rbf": D, "imq": 2 * D}[kernel]
    expected, mmd = recomputed(model, alpha, lambd, kernel, estimator, bandwidth, model.kl_weight.item())
    output = model(*batch())
    torch.testing.assert_close(output.extra["mmd"], mmd, rtol=1e-6, atol=1e-7)  # coefficients are held in float32
    torch.testing.assert_close(output.loss, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bandwidth", [None, 0.7, "median"])
@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1, 4.0)])
@pytest.mark.parametrize("kernel", ["rbf", "imq"])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_loss_and_gradient_for_every_bandwidth_and_several_scales(bandwidth, scales, kernel, estimator):
    model = make(alpha=1.0, lambd=50.0, kernel=kernel, estimator=estimator, bandwidth=bandwidth, scales=scales)
    bandwidth = bandwidth or {"rbf": D, "imq": 2 * D}[kernel]
    expected, mmd = recomputed(model, 1.0, 50.0, kernel, estimator, bandwidth, 1.0, scales)
    output = model(*batch())
    torch.testing.assert_close(output.extra["mmd"], mmd, rtol=1e-6, atol=1e-7)
    parameters = list(model.parameters())
    found, wanted = torch.autograd.grad(output.loss, parameters), torch.autograd.grad(expected, parameters)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_default_is_one_scale_and_the_dimension_as_bandwidth():
    for kernel, bandwidth in (("rbf", D), ("imq", 2 * D)):
        model, explicit = make(kernel=kernel), make(kernel=kernel, bandwidth=float(bandwidth), scales=[1.0])
        assert torch.equal(model(*batch()).loss, explicit(*batch()).loss)


@pytest.mark.parametrize("distance", [1e3, 1e5])
def test_median_is_taken_anew_from_each_batch(distance):
    """Of two far clouds most pairs lie across: C is their distance, k across ½, within 1, and the MMD² 1 + 1 - 1."""
    model = make(alpha=1.0, lambd=10.0, bandwidth="median", kernel="imq")
    assert "bandwidth" not in model.state_dict()
    with torch.no_grad():
        model.encoder.net[-1].bias[:D] += distance
    assert model(*batch()).extra["mmd"].item() == pytest.approx(1, abs=0.01)


MEDIAN = {"bandwidth": "median", "scales": [0.5, 1.0, 2.0]}
WAE = {"bandwidth": None, "scales": [0.1, 0.2, 0.5, 1, 2, 5, 10]}
every_setting = pytest.mark.parametrize("options", [MEDIAN, WAE], ids=["median", "wae"])
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@every_setting
@pytest.mark.parametrize(
    ("kernel", "estimator", "dtype"), [("rbf", "biased", torch.float64), ("imq", "unbiased", torch.float32)]
)
def test_compiled_loss_is_the_eager_one_and_compiles_once(options, kernel, estimator, dtype):
    torch._dynamo.reset()
    model = make(kernel=kernel, estimator=estimator, alpha=0.3, **options).to(dtype)
    x, noise = (part.to(dtype) for part in batch())
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, noise).loss, model(x, noise).loss)
    counter = torch._dynamo.testing.CompileCounter()
    counted = torch.compile(model, fullgraph=True, backend=counter)
    for factor in (0.5, 2.0, 3.0):
        model.scales.mul_(factor)
        torch.testing.assert_close(counted(x, noise).loss, model(x, noise).loss)
    assert counter.frame_count == 1


@every_setting
@every_dtype
@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_stacked_losses_and_gradients_are_the_single_ones(options, dtype, kernel):
    """Models that differ in their networks, their scales and their coefficients, each on its own batch."""
    models = []
    for factor in (1.0, 2.0, 3.0):
        scales = [factor * scale for scale in options["scales"]]
        model = make(kernel=kernel, alpha=0.3, lambd=10 * factor, **options | {"scales": scales}).to(dtype)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(factor)
        models.append(model)
    x, noise = (torch.stack([part, 0.5 * part, 0.2 * part]).to(dtype) for part in batch())
    singles, gradients = [], []
    for model, *one in zip(models, x, noise, strict=True):
        loss = model(*one).loss
        singles.append(loss.detach())
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")

    def loss_of(params, buffers, x, noise):
        return torch.func.functional_call(base, (params, buffers), (x, noise)).loss

    stacked_gradients, losses = torch.func.vmap(torch.func.grad_and_value(loss_of))(params, buffers, x, noise)
    torch.testing.assert_close(losses, torch.stack(singles), rtol=1e-5, atol=1e-5)
    for name, expected in zip(params, zip(*gradients, strict=True), strict=True):
        torch.testing.assert_close(stacked_gradients[name], torch.stack(expected), rtol=1e-4, atol=1e-4)


@every_setting
def test_float32_agrees_with_float64(options):
    double = make(alpha=0.3, lambd=10.0, **options)
    single = copy.deepcopy(double).float()
    x, noise = batch()
    loss = single(x.float(), noise.float()).loss
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(double(x, noise).loss.item(), rel=1e-5)


def test_alpha_zero_lambda_one_is_the_vae():
    x, noise = batch()
    torch.testing.assert_close(make(alpha=0.0, lambd=1.0)(x, noise).loss, make(VAE)(x, noise[:1]).loss)


def test_alpha_one_leaves_the_rate_out():
    model = make(alpha=1.0, lambd=1.0)
    output = model(*batch())
    torch.testing.assert_close(output.loss, output.terms.distortion.mean() + output.extra["mmd"])
    model.kl_weight.fill_(0.0)
    assert torch.equal(model(*batch()).loss, output.loss)


def test_annealing_and_free_bits_touch_the_rate_but_not_the_mmd():
    model = make(alpha=0.2, lambd=5.0)
    model.penalty = FreeBitsPenalty("dimension", 2.0)
    before = model(*batch())
    model.kl_weight.fill_(0.5)
    after = model(*batch())
    assert torch.equal(before.extra["mmd"], after.extra["mmd"])
    assert (before.loss - after.loss).item() == pytest.approx(0.8 * 0.5 * 2.0 * D, rel=1e-6)


def test_mmd_pulls_the_aggregate_posterior_to_the_prior():
    model = make(alpha=1.0, lambd=1000.0)
    x, noise = batch()
    far, near = model(x, noise).extra["mmd"], model(x, noise.flip(0)).extra["mmd"]
    with torch.no_grad():
        model.encoder.net[-1].bias[:D] += 3
    assert model(x, noise).extra["mmd"] > max(far, near) + 0.1


def test_prior_samples_are_the_second_noise_stream():
    model = make(alpha=1.0, lambd=10.0)
    x, noise = batch()
    first, second = noise.clone(), noise.clone()
    first[0, 0] += 1
    second[1, 0] += 1
    base = model(x, noise)
    assert not torch.equal(model(x, first).terms.distortion, base.terms.distortion)
    assert torch.equal(model(x, second).terms.distortion, base.terms.distortion)
    assert not torch.equal(model(x, second).extra["mmd"], base.extra["mmd"])


@pytest.mark.parametrize(("estimator", "least"), [("biased", 1), ("unbiased", 2)])
def test_least_batch_size_gives_a_finite_loss(estimator, least):
    model = make(estimator=estimator)
    x, noise = batch()
    assert model.min_batch_size == least
    assert model(x[:least], noise[:, :least]).loss.isfinite()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha=1.5: must be a finite number <= 1"),
        ({"alpha": 0.0, "lambd": 0.5}, "lambd=0.5: must be a finite number >= 1"),
        ({"alpha": -2.0, "lambd": 2.9}, "lambd=2.9: must be a finite number >= 3"),
        ({"kernel": "gauss"}, "kernel=gauss: must be one of rbf, imq"),
        ({"estimator": "u"}, "estimator=u: must be one of biased, unbiased"),
        ({"bandwidth": 0.0}, "bandwidth=0.0: must be a finite number > 0"),
        ({"bandwidth": -1.0}, "bandwidth=-1.0: must be a finite number > 0"),
        ({"bandwidth": "mean"}, "bandwidth=mean: must be a finite number > 0, median or null"),
        ({"bandwidth": "Median"}, "bandwidth=Median: .* \\(did you mean median\\?\\)"),
        ({"scales": []}, r"scales=\[\]: must be a list of one number or more"),
        ({"scales": 1.0}, "scales=1.0: must be a list of one number or more"),
        ({"scales": "12"}, "scales=12: must be a list of one number or more"),
        ({"scales": [1.0, 0.0]}, "scales=0.0: must be a finite number > 0"),
        ({"scales": [-2, 1.0]}, "scales=-2: must be a finite number > 0"),
        ({"scales": [1.0, "x"]}, "scales=x: must be a finite number > 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make(**options)
