"""The verdict: every branch at its threshold, and collapse that was built in on purpose."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vae_lab.data import Batch
from vae_lab.diagnosis.verdict import Verdict, describe, judge
from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.metrics import ActiveUnits, MutualInformation, RateDistortion, ShuffleGap
from vae_lab.models import BNVAE, VAE, DeltaVAE

HEALTHY = {"gap": 10.0, "gap_se": 0.1, "gap_dim": [5.0, 4.0, 1.0], "gap_dim_se": [0.1, 0.1, 0.1], "mi": 5.0}


def kind_of(**changes):
    verdict = judge(**HEALTHY | changes)
    return verdict.kind, verdict.unused


def test_all_dimensions_used_is_no_collapse():
    assert judge(**HEALTHY) == Verdict("none", 0, 3)


@pytest.mark.parametrize(
    ("gap", "gap_se", "kind"),
    [
        (0.0999, 0.0, "full"),
        (0.1, 0.0, "none"),
        (0.1, 0.05, "none"),
        (0.1, 0.0501, "full"),
        (3.9, 2.0, "full"),
        (4.0, 2.0, "none"),
        (0.0, 0.0, "full"),
        (-5.0, 0.1, "full"),
    ],
)
def test_full_below_a_tenth_of_a_nat_or_two_standard_errors(gap, gap_se, kind):
    assert kind_of(gap=gap, gap_se=gap_se)[0] == kind


@pytest.mark.parametrize(
    ("gap", "gap_se", "mi", "kind"),
    [
        (0.299, 0.1, 0.0999, "full"),  # within three errors, and z carries nothing: chance
        (0.299, 0.1, 0.1, "none"),
        (0.301, 0.1, 0.0, "none"),
        (0.2, 0.01, -1e-12, "none"),
    ],
)
def test_information_decides_between_two_and_three_standard_errors_only(gap, gap_se, mi, kind):
    assert kind_of(gap=gap, gap_se=gap_se, mi=mi)[0] == kind


@pytest.mark.parametrize(
    ("gap", "gap_se", "mi", "kind"),
    [
        (3.66, 0.3, 0.09, "none"),  # a linear VAE at β = 20, whose rate of 0.114 nats is what theory says
        (-7.0, 0.5, 7.0, "full"),  # 20 steps: the decoder cannot read z yet
        (0.02, 0.001, 0.02, "full"),  # far beyond its error, and too small to matter
        (0.02, 0.001, 5.0, "full"),  # an autoregressive decoder that reads a code it hardly needs
        (0.0, 0.0, 7.6, "full"),  # a decoder that ignores z
        (float("inf"), float("nan"), 5.0, "none"),
        (float("nan"), float("nan"), 5.0, "full"),
    ],
)
def test_corners(gap, gap_se, mi, kind):
    assert kind_of(gap=gap, gap_se=gap_se, mi=mi)[0] == kind


@given(st.floats(0, 50), st.floats(0, 10), st.floats(-1, 10))
def test_a_gap_far_beyond_its_error_is_never_full(gap, gap_se, mi):
    full = kind_of(gap=gap, gap_se=gap_se, mi=mi)[0] == "full"
    assert not (full and gap >= 0.1 and gap >= 3 * gap_se)
    assert full or (gap >= 0.1 and gap >= 2 * gap_se)


@pytest.mark.parametrize(
    ("gap_dim", "gap_dim_se", "expected"),
    [
        ([5.0, 0.0099, 1.0], [0.0, 0.0, 0.0], ("partial", 1)),
        ([5.0, 0.01, 1.0], [0.0, 0.0, 0.0], ("none", 0)),
        ([5.0, 0.3, 1.0], [0.1, 0.151, 0.1], ("partial", 1)),
        ([5.0, 0.3, 1.0], [0.1, 0.15, 0.1], ("none", 0)),
        ([5.0, -1.0, 0.0], [0.0, 0.1, 0.0], ("partial", 2)),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], ("partial", 2)),  # they are used together
    ],
)
def test_dimension_is_unused_below_a_hundredth_of_a_nat_or_two_standard_errors(gap_dim, gap_dim_se, expected):
    assert kind_of(gap_dim=gap_dim, gap_dim_se=gap_dim_se) == expected


def test_full_leaves_no_dimension_in_use():
    assert judge(**HEALTHY | {"gap": 0.0}) == Verdict("full", 3, 3)


def test_the_only_dimension_is_in_use_where_z_is():
    assert judge(gap=0.2, gap_se=0.01, gap_dim=[0.0], gap_dim_se=[0.1], mi=1.0) == Verdict("none", 0, 1)


def test_mismatched_dimensions_are_refused():
    with pytest.raises(ValueError, match="zip"):
        judge(**HEALTHY | {"gap_dim_se": [0.1]})


def test_words():
    assert str(judge(**HEALTHY)) == describe("none", 0, 3) == "none"
    assert str(Verdict("partial", 12, 16)) == "12 of 16 unused"
    assert str(Verdict("full", 16, 16)) == "full"


# collapse that was built in, seen through the real metrics

D, N = 4, 600


class Pixels(nn.Module):
    """Location: the image's pixels times ``gain``; raw scale fixed."""

    def __init__(self, gain, raw_scale):
        super().__init__()
        self.gain, self.raw_scale = gain, raw_scale

    def forward(self, x):
        location = self.gain * x.flatten(1)
        return location, self.raw_scale.expand_as(location)


class Scaled(nn.Module):
    """Pixels: the latents times ``gain`` (D,); 0 for those that the decoder ignores."""

    def __init__(self, *gain):
        super().__init__()
        self.gain = torch.tensor(gain)

    def forward(self, z):
        return (self.gain * z)[:, None, None, :]


def measured(model):
    """All figures of a model over 600 standard normal images of D pixels, in three batches."""
    x = torch.randn(N, 1, 1, D, generator=torch.Generator().manual_seed(0))
    metrics = {
        "rate": RateDistortion(D),
        "active": ActiveUnits(),
        "mi": MutualInformation(),
        "gap": ShuffleGap(lambda z, x, indices=None: -model.likelihood.log_prob(model.decoder(z), x)),
    }
    for indices in torch.arange(N).split(250):
        part = x[indices]
        output = model.test_step(Batch(part, indices), 0)
        terms = output.terms
        metrics["rate"].update(output.loss, output.terms.rate, output.terms.distortion)
        metrics["active"].update(output.terms.mean)
        metrics["mi"].update(indices, output.terms.mean, output.terms.stddev, output.terms.z, output.terms.rate)
        metrics["gap"].update(indices, part, terms.z, terms.distortion, terms.mean, terms.stddev)
    return {name: value for metric in metrics.values() for name, value in metric.compute().items()}


def verdict_of(figures):
    names = ("shuffle_gap", "shuffle_gap_se", "shuffle_gap_dim", "shuffle_gap_dim_se", "mutual_information")
    return judge(*(figures[name].tolist() for name in names))


def parts(encoder, decoder):
    return {"encoder": encoder, "decoder": decoder, "likelihood": Gaussian(0.1), "latent_dim": D}


def test_decoder_that_ignores_z_is_collapsed_whatever_the_rate():
    figures = measured(VAE(**parts(Pixels(3.0, torch.tensor(-4.0)), Scaled(0, 0, 0, 0))))
    assert figures["rate"] > 20
    assert figures["mutual_information"] > 5
    assert figures["active_units"] == D
    assert figures["shuffle_gap"] == 0
    assert verdict_of(figures) == Verdict("full", D, D)


@pytest.mark.parametrize("variant", ["ar1", "independent"])
def test_delta_vae_at_its_minimiser_is_collapsed_at_rate_delta(variant):
    encoder = Pixels(0.0, torch.zeros(D))
    model = DeltaVAE(delta=2.0, variant=variant, steps=D, **parts(encoder, Scaled(0.9, 0.9, 0.9, 0.9)))
    if variant == "ar1":
        inner = model.prior.innovation / (1 + model.prior.alpha**2)
        ends = model.prior.innovation
        encoder.raw_scale = torch.stack([ends, *[inner] * (D - 2), ends]).log()
    figures = measured(model)
    assert figures["rate"].item() == pytest.approx(2.0, rel=1e-4)
    assert figures["mutual_information"].abs() < 1e-6
    assert figures["active_units"] == 0
    assert figures["shuffle_gap"].abs() < 3 * figures["shuffle_gap_se"]
    assert verdict_of(figures).kind == "full"


@pytest.mark.parametrize("training", [True, False])
def test_bn_vae_over_ignored_dimensions_is_collapsed_with_every_unit_active(training):
    model = BNVAE(gamma=0.5, **parts(Pixels(1.0, torch.tensor(-3.0)), Scaled(0, 0, 0, 0))).train(training)
    figures = measured(model)
    assert figures["active_units"] == D
    assert figures["rate"] >= D * 0.25 / 2 * 0.9  # 0.9: with running statistics the bound holds on average only
    assert figures["shuffle_gap"].abs() < 1e-6
    assert verdict_of(figures) == Verdict("full", D, D)


@pytest.mark.parametrize(("gain", "unused"), [((0.9, 0.9, 0, 0), 2), ((0.9, 0, 0, 0), 3), ((0.9, 0.9, 0.9, 0), 1)])
def test_healthy_model_with_unused_dimensions_is_partial_never_full(gain, unused):
    figures = measured(VAE(**parts(Pixels(0.9, torch.tensor(-2.0)), Scaled(*gain))))
    assert verdict_of(figures) == Verdict("partial", unused, D)


def test_healthy_model_is_not_collapsed():
    figures = measured(VAE(**parts(Pixels(0.9, torch.tensor(-2.0)), Scaled(0.9, 0.9, 0.9, 0.9))))
    assert verdict_of(figures) == Verdict("none", 0, D)


def test_collapsed_vae_is_collapsed():
    figures = measured(VAE(**parts(Pixels(0.0, torch.zeros(D)), Scaled(0.9, 0.9, 0.9, 0.9))))
    assert figures["rate"] == 0
    assert figures["active_units"] == 0
    assert verdict_of(figures).kind == "full"
