"""What every variant keeps: a loss that is a pure function of parameters, buffers, images and noise."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from vae_lab.elbo.controllers import Adaptive
from vae_lab.elbo.likelihoods import Bernoulli, Gaussian
from vae_lab.elbo.penalties import CapacityPenalty, ControlledPenalty, FreeBitsPenalty, PlainPenalty
from vae_lab.models import BNVAE, DIPVAE, VAE, BetaTCVAE, BetaVAE, DeltaVAE, FactorVAE, InfoVAE
from vae_lab.networks import MLPDecoder, MLPEncoder, PixelCNN, StyleDecoder

IMAGE, D, B = (1, 3, 2), 4, 8


def parts(likelihood=Bernoulli):
    return {
        "encoder": MLPEncoder(IMAGE, D, [16]),
        "decoder": MLPDecoder(IMAGE, D, [16]),
        "likelihood": likelihood(),
        "latent_dim": D,
    }


def pixelcnn(**options):
    return {"decoder": PixelCNN(IMAGE, D, channels=4, receptive_field=2, reach=1, **options)}


def style():
    decoder = StyleDecoder(IMAGE, D, channels=[4, 4], style=8, mapping_layers=1)
    for layer in decoder.layers:
        torch.nn.init.constant_(layer.strength, 0.3)  # starts at 0, where the noise does nothing
    return {"decoder": decoder}


def learned_gaussian():
    return Gaussian(0.1, fit="learned")


VARIANTS = {
    "vae": lambda: VAE(**parts()),
    "vae_gaussian": lambda: VAE(**parts(Gaussian)),
    "vae_learned_gaussian": lambda: VAE(**parts(learned_gaussian)),
    "beta": lambda: BetaVAE(beta=4.0, **parts()),
    "delta_ar1": lambda: DeltaVAE(delta=2.0, variant="ar1", steps=4, **parts()),
    "delta_independent": lambda: DeltaVAE(delta=2.0, variant="independent", **parts()),
    "info_rbf_biased": lambda: InfoVAE(alpha=0.3, lambd=10.0, kernel="rbf", estimator="biased", **parts()),
    "info_imq_unbiased": lambda: InfoVAE(alpha=0.3, lambd=10.0, kernel="imq", estimator="unbiased", **parts()),
    "bn": lambda: BNVAE(gamma=0.6, **parts()),
    "pixelcnn": lambda: BetaVAE(beta=4.0, **parts() | pixelcnn()),
    "pixelcnn_gaussian": lambda: VAE(**parts(Gaussian) | pixelcnn(features=0, skip=False)),
    "style": lambda: VAE(**parts() | style()),
    "beta_tcvae": lambda: BetaTCVAE(beta=3.0, **parts()),
    "dip_one": lambda: DIPVAE(offdiagonal=2.0, diagonal=3.0, version="I", **parts()),
    "dip_two": lambda: DIPVAE(offdiagonal=2.0, diagonal=3.0, **parts()),
    "factor_vae": lambda: FactorVAE(gamma=3.0, hidden=8, layers=2, **parts()),
}
PENALTIES = {
    "plain": PlainPenalty,
    "free_bits": lambda: FreeBitsPenalty("dimension", 0.05),
    "capacity": lambda: CapacityPenalty(20.0, 3.0),  # above every rate here: it pulls up, and the kink is far
    "controlled": lambda: ControlledPenalty(Adaptive(1.0, start_weight=0.5)),
}
STRENGTHS = {
    "plain": set(),
    "free_bits": {"penalty.epsilon"},
    "capacity": {"penalty.capacity", "penalty.gamma"},
    "controlled": {"penalty.weight"},
}
COEFFICIENTS = {
    "vae": {"kl_weight"},
    "vae_gaussian": {"kl_weight", "likelihood.log_variance"},
    "vae_learned_gaussian": {"kl_weight"},
    "beta": {"kl_weight", "beta"},
    "delta_ar1": {"kl_weight", "prior.alpha", "prior.innovation"},  # delta itself only says where the floor is
    "delta_independent": {"kl_weight", "delta", "stddev_low", "stddev_high"},
    "info_rbf_biased": {"kl_weight", "alpha", "lambd", "bandwidth"},
    "info_imq_unbiased": {"kl_weight", "alpha", "lambd", "bandwidth"},
    "bn": {"kl_weight", "gamma"},
    "pixelcnn": {"kl_weight", "beta"},
    "pixelcnn_gaussian": {"kl_weight", "likelihood.log_variance"},
    "style": {"kl_weight"},
    "beta_tcvae": {"kl_weight", "beta"},
    "dip_one": {"kl_weight", "offdiagonal", "diagonal"},
    "dip_two": {"kl_weight", "offdiagonal", "diagonal"},
    "factor_vae": {"kl_weight", "gamma"},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES)


def make(variant, penalty="plain", seed=0):
    torch.manual_seed(seed)
    model = VARIANTS[variant]()
    model.penalty = PENALTIES[penalty]()
    return model.train()


def batch(model, seed=0, n=B):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *IMAGE, generator=generator), torch.randn(model.noise_streams, n, D, generator=generator)


def loss_of(model, x, noise):
    return copy.deepcopy(model)(x, noise).loss  # BN moves its running statistics


@every_variant
@every_penalty
def test_terms_have_their_shapes(variant, penalty):
    model = make(variant, penalty)
    loss, extra, terms = model(*batch(model))
    assert loss.shape == ()
    assert terms.distortion.shape == (B,)
    assert terms.rate.shape == terms.mean.shape == terms.stddev.shape == terms.z.shape == (B, D)
    assert terms.params.shape == terms.x.shape == (B, *IMAGE)
    assert terms.noise.shape == (model.noise_streams, B, D)
    assert all(value.shape == () for value in extra.values())


@every_variant
def test_z_is_the_first_noise_stream_at_mean_and_stddev(variant):
    model = make(variant)
    x, noise = batch(model)
    output = model(x, noise)
    torch.testing.assert_close(output.terms.z, output.terms.mean + output.terms.stddev * noise[0])
    params = model.predict(output.terms.z, x, model.decoder_noise(noise))
    torch.testing.assert_close(output.terms.distortion, -model.likelihood.log_prob(params, x))
    torch.testing.assert_close(output.terms.params, params)


@every_variant
@every_penalty
def test_coefficients_are_scalar_buffers_that_the_loss_reads(variant, penalty):
    model = make(variant, penalty).double()
    x, noise = (part.double() for part in batch(model))
    before = loss_of(model, x, noise)
    buffers = dict(model.named_buffers())
    for name in COEFFICIENTS[variant] | STRENGTHS[penalty]:
        assert buffers[name].shape == ()
        changed = copy.deepcopy(model)
        value = dict(changed.named_buffers())[name]
        value.fill_(10.0 if name == "penalty.epsilon" else value * 0.7)
        assert (loss_of(changed, x, noise) - before).abs() > 1e-6, name


@every_variant
def test_all_buffers_are_known(variant):
    known = COEFFICIENTS[variant] | {"delta", "scales"}
    others = ("normalise.", "sampling_prior.")  # running statistics, and the masks of a network
    assert {name for name, _ in make(variant).named_buffers() if not name.startswith(others)} <= known


@pytest.mark.parametrize(
    ("variant", "penalty"),
    [*((variant, "free_bits") for variant in VARIANTS), ("vae", "plain"), ("vae", "capacity"), ("vae", "controlled")],
)
def test_compiled_loss_is_the_eager_one_and_moving_coefficients_compiles_nothing_anew(variant, penalty):
    torch._dynamo.reset()
    model = make(variant, penalty)
    x, noise = batch(model)
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(model, fullgraph=True, backend=counter)
    for weight in (0.1, 0.5, 0.9):
        model.kl_weight.fill_(weight)
        for name in STRENGTHS[penalty]:
            model.get_buffer(name).fill_(weight)
        torch.testing.assert_close(compiled(x, noise).loss, loss_of(model, x, noise))
    assert counter.frame_count == 1


@every_variant
@every_penalty
def test_stacked_losses_are_the_single_ones(variant, penalty):
    models = [make(variant, penalty, seed) for seed in range(3)]
    for weight, model in zip((0.2, 0.5, 1.0), models, strict=True):
        model.kl_weight.fill_(weight)
    batches = [batch(model, seed) for seed, model in enumerate(models)]
    x, noise = (torch.stack(part) for part in zip(*batches, strict=True))
    singles = torch.stack([loss_of(model, *one) for model, one in zip(models, batches, strict=True)])
    assert singles.unique().numel() == 3
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")

    def loss(params, buffers, x, noise):
        return torch.func.functional_call(base, (params, buffers), (x, noise)).loss

    stacked = torch.func.vmap(loss)(params, buffers, x, noise)
    torch.testing.assert_close(stacked, singles, rtol=1e-5, atol=1e-5)


@every_variant
def test_stacked_gradients_are_the_single_ones(variant):
    models = [make(variant, seed=seed) for seed in range(3)]
    x, noise = batch(models[0])
    singles = []
    for model in models:
        one = copy.deepcopy(model)
        one(x, noise).loss.backward()
        singles.append(torch.cat([p.grad.flatten() for p in one.parameters()]))
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")

    def loss(params, buffers):
        return torch.func.functional_call(base, (params, buffers), (x, noise)).loss

    stacked = torch.func.vmap(torch.func.grad(loss))(params, buffers)
    stacked = torch.cat([part.reshape(3, -1) for part in stacked.values()], dim=1)
    torch.testing.assert_close(stacked, torch.stack(singles), rtol=1e-4, atol=1e-4)


@every_variant
@every_penalty
def test_loss_draws_nothing_and_repeats_bit_for_bit(variant, penalty):
    model = make(variant, penalty)
    x, noise = batch(model)
    before = torch.get_rng_state()
    losses = [model(x, noise).loss for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*losses)


@every_variant
@every_penalty
def test_float32_and_float64_agree(variant, penalty):
    model = make(variant, penalty)
    x, noise = batch(model)
    single, double = loss_of(model, x, noise), copy.deepcopy(model).double()(x.double(), noise.double()).loss
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert single.item() == pytest.approx(double.item(), rel=2e-5)


@every_variant
@every_penalty
def test_gradient_is_that_of_the_loss(variant, penalty):
    model = make(variant, penalty).double()
    if model.sampling_prior is not None:  # it learns beside the loss, whose value does not hold it
        model.sampling_prior.requires_grad_(False)
    if variant == "factor_vae":
        model.discriminator.requires_grad_(False)
    x, noise = (part.double() for part in batch(model))
    trained = [p for p in model.parameters() if p.requires_grad]
    directions = [torch.randn(p.shape, dtype=p.dtype) for p in trained]
    gradients = torch.autograd.grad(model(x, noise).loss, trained)
    slope = sum((g * v).sum() for g, v in zip(gradients, directions, strict=True)).item()

    def moved(step):
        other = copy.deepcopy(model)
        with torch.no_grad():
            for p, v in zip((p for p in other.parameters() if p.requires_grad), directions, strict=True):
                p.add_(step * v)
        return loss_of(other, x, noise).item()

    assert (moved(1e-6) - moved(-1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-5, abs=1e-5)


@every_variant
def test_every_parameter_gets_a_gradient(variant):
    model = make(variant)
    if model.sampling_prior is not None:  # starts as N(0, I), with an output of zeros that lets nothing pass yet
        torch.nn.init.ones_(model.sampling_prior.output.weight)
    model(*batch(model)).loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


@every_variant
@every_penalty
def test_true_rate_ignores_weights_and_penalty(variant, penalty):
    model, other = make(variant), make(variant, penalty)
    other.kl_weight.fill_(0.1)
    torch.testing.assert_close(model(*batch(model)).terms.rate, other(*batch(other)).terms.rate)


@every_variant
def test_terms_are_the_rate_to_the_prior_and_the_sampled_log_ratio(variant):
    """E[ log q(z|x) - log p(z) ] over fresh noise is the rate: posterior, prior and rate belong together."""
    model = make(variant).double()
    x = batch(model)[0].double()[:2].repeat(20_000, 1, 1, 1)
    noise = torch.randn(model.noise_streams, len(x), D, dtype=torch.float64)
    with torch.no_grad():
        q = torch.distributions.Normal(*model.eval().posterior(x))
        z = q.mean + q.stddev * noise[0]
        samples = (q.log_prob(z).sum(1) - model.prior.log_prob(z)).view(-1, 2)
        rate = model(x[:2], noise[:, :2]).terms.rate.sum(1)
    error = samples.std(0) / len(samples) ** 0.5
    assert ((samples.mean(0) - rate).abs() < 4 * error).all()


@every_variant
def test_using_a_trained_model(variant):
    model = make(variant).eval()
    x = batch(model)[0]
    with torch.no_grad():
        q = model.encode(x)
        assert q.batch_shape == (B, D)
        own = model.autoregressive or model.noise_size
        expected = model.decode(q.mean) if own else model.likelihood(model.decoder(q.mean)).mean
        torch.testing.assert_close(model.reconstruct(x), expected)
        assert model.sample(5, seed=1).shape == (5, *IMAGE)
        assert torch.equal(model.sample(5, seed=1), model.sample(5, seed=1))
        assert not torch.equal(model.sample(5, seed=1), model.sample(5, seed=2))


@every_variant
def test_training_noise_is_a_function_of_seed_and_step(variant):
    def drawn(seed=0, step=3, processes=1, rank=0):
        model = make(variant)
        model.seed = seed
        model.trainer = SimpleNamespace(world_size=processes, global_rank=rank, global_step=step)
        return model.training_noise(B // processes)

    noise = drawn()
    assert noise.shape == (make(variant).noise_streams, B, D)
    assert torch.equal(noise, drawn())
    assert not torch.equal(noise, drawn(seed=1))
    assert not torch.equal(noise, drawn(step=4))
    shares = [drawn(processes=2, rank=rank) for rank in (0, 1)]
    assert torch.equal(torch.cat(shares, dim=1), noise)  # the batch of all processes together


@every_variant
def test_evaluation_noise_is_a_function_of_seed_purpose_and_image(variant):
    model, other = make(variant), make(variant)
    noise = model.evaluation_noise(torch.arange(B), "val")
    assert noise.shape == (model.noise_streams, B, D)
    order = torch.tensor([5, 2, 7])
    assert torch.equal(model.evaluation_noise(order, "val"), noise[:, order])
    assert not torch.equal(noise, model.evaluation_noise(torch.arange(B), "test"))
    other.seed = 1
    assert not torch.equal(noise, other.evaluation_noise(torch.arange(B), "val"))


@every_variant
def test_rate_floor_is_never_undercut(variant):
    model = make(variant)
    with torch.no_grad():
        rate = model(*batch(model, n=200)).terms.rate.sum(1).mean()
    assert rate >= model.rate_floor() - 1e-4
    assert (model.rate_floor() > 0) == variant.startswith(("delta", "bn"))


@every_variant
def test_rate_floor_is_the_higher_of_model_and_penalty(variant):
    model = make(variant)
    alone = model.rate_floor()
    model.penalty = FreeBitsPenalty("dimension", 10.0)
    assert model.rate_floor() == pytest.approx(10.0 * D)
    for penalty in (FreeBitsPenalty("total", 1.3), CapacityPenalty(1.3), ControlledPenalty(Adaptive(1.3))):
        model.penalty = penalty
        assert model.rate_floor() == pytest.approx(max(alone, 1.3))


@every_variant
def test_log_weights_average_to_the_elbo(variant):
    """E[ log p(x,z) - log q(z|x) ] over the posterior is minus distortion and rate, both averaged over fresh noise."""
    model = make(variant).double().eval()
    x = batch(model)[0].double()[:2]
    noise = torch.randn(4000, 2, D + model.noise_size, dtype=torch.float64)
    with torch.no_grad():
        samples = model.log_weights(x, noise)
        mean, stddev = model.posterior(x)
        images = x.expand(len(noise), *x.shape).flatten(0, 1)
        z, of_decoder = mean + stddev * noise[..., :D], noise[..., D:]
        params = model.predict(z.flatten(0, 1), images, of_decoder.flatten(0, 1))
        distortion = -model.likelihood.log_prob(params, images).view(-1, 2)
        expected = -distortion.mean(0) - model.prior.rate(mean, stddev).sum(1)
        error = (samples + distortion).std(0) / len(samples) ** 0.5
    assert ((samples.mean(0) - expected).abs() < 4 * error).all()


@pytest.mark.parametrize("latent_dim", [0, -1, 1.5, True])
def test_bad_latent_dim_is_refused_by_name(latent_dim):
    with pytest.raises(ValueError, match=f"^latent_dim={latent_dim}: must be a whole number >= 1"):
        VAE(**parts() | {"latent_dim": latent_dim})


TRAITS = {  # plain_elbo, rate_weight_key, holds_rate, batchwise_terms
    VAE: (True, None, False, ""),
    BetaVAE: (True, "model.beta", False, ""),
    DeltaVAE: (False, None, True, ""),
    InfoVAE: (False, None, False, "MMD"),
    BNVAE: (False, None, True, "BN statistics"),
    BetaTCVAE: (False, None, False, "total correlation"),
    DIPVAE: (False, None, False, "covariance of the posteriors"),
    FactorVAE: (False, None, False, ""),
}


@pytest.mark.parametrize("kind", TRAITS)
def test_each_model_declares_what_it_is(kind):
    assert (kind.plain_elbo, kind.rate_weight_key, kind.holds_rate, kind.batchwise_terms) == TRAITS[kind]


@every_variant
def test_the_traits_are_true(variant):
    """A plain ELBO is distortion and rate alone; what holds a rate has a floor; batch-wise terms need their batch."""
    model = make(variant).double()
    x, noise = (part.double() for part in batch(model))
    output = model(x, noise)
    elbo = output.terms.distortion.mean() + model.rate_weight() * output.terms.rate.sum(1).mean()
    assert model.holds_rate == (model.rate_floor() > 0)
    if model.plain_elbo:
        torch.testing.assert_close(output.loss, elbo, rtol=0, atol=0)
        assert not model.holds_rate
    pairs = [copy.deepcopy(model)(x[i : i + 2], noise[:, i : i + 2]).loss for i in range(0, B, 2)]
    whole = torch.isclose(torch.stack(pairs).mean(), output.loss, rtol=1e-10, atol=0)
    assert bool(model.batchwise_terms) != bool(whole)


def test_a_variant_of_somebody_else_is_no_plain_elbo_unless_it_says_so():
    class Silent(BetaVAE):
        pass

    class Declared(BetaVAE):
        plain_elbo = True

    assert not Silent.plain_elbo
    assert Declared.plain_elbo
    assert Silent.rate_weight_key == "model.beta"
