"""A person's functions in, a report out; what does not fit is noticed."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Laplace, Normal, Poisson
from torch.nn import functional

import vae_lab
from vae_lab.checks import ArgumentError
from vae_lab.elbo.divergences import kl_standard_normal
from vae_lab.examination import pictures
from vae_lab.report.show import finish
from vae_lab.runs.run import Run

QUICK = {"importance_samples": 0}


def agree(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value == pytest.approx(other[name], rel=1e-4, abs=1e-4, nan_ok=True), name


def examine(x, plain, **given):
    return vae_lab.examine(x, **{"encode": plain.encode, "decode": plain.decode, **QUICK, **given})


def test_pixels_that_are_averaged_get_that_cause_without_being_told(plain, x):
    report = vae_lab.examine(
        x,
        encode=plain.encode,
        decode=plain.decode,
        distortion=lambda z, x: functional.binary_cross_entropy(plain.decode(z), x, reduction="none").mean(1),
        **QUICK,
    )
    assert report.result.objective.effective_beta == 16
    assert report.result.objective.likelihood == "Bernoulli"
    assert "1/16 of the sum" in str(report)
    nothing = nn.Linear(16, 4)
    nn.init.zeros_(nothing.weight), nn.init.zeros_(nothing.bias)
    report = examine(x, plain, encode=lambda x: nothing(x).chunk(2, 1), likelihood="bernoulli", reduction="mean")
    assert report.verdict == "full" and report.cause.kind == "averaged" and report.cause.certainty == "established"
    assert report.advice == [
        "- distortion = F.binary_cross_entropy(x_hat, x)",
        '+ distortion = F.binary_cross_entropy(x_hat, x, reduction="sum") / len(x)',
    ]


def test_a_weight_of_the_distortion_divides_beta(plain, x):
    def weighted(z, x):
        return 10 * functional.binary_cross_entropy(plain.decode(z), x, reduction="none").sum(1)

    report = examine(x, plain, distortion=weighted, beta=5)
    assert report.result.objective.effective_beta == pytest.approx(0.5, rel=1e-3)
    assert "it weighs 10 in the loss" in str(report)


def test_figures_are_those_of_the_formulas(plain, x):
    report = examine(x, plain, likelihood="bernoulli")
    plain.eval()
    mean, log_variance = plain.encode(x)
    rates = kl_standard_normal(mean, (0.5 * log_variance).exp()).mean(0)
    assert report.figures["rate_dim"] == pytest.approx(rates.tolist(), rel=1e-5)
    assert report.figures["elbo"] == pytest.approx(-report.figures["rate"] - report.figures["distortion"])


def test_the_same_seed_gives_the_same_figures_and_the_model_is_left_as_it_was(plain, x):
    state, modes = torch.random.get_rng_state(), [module.training for module in plain.modules()]
    first, second = (examine(x, plain, likelihood="bernoulli", seed=3).figures for _ in range(2))
    assert first == second
    assert torch.random.get_rng_state().equal(state)
    assert [module.training for module in plain.modules()] == modes
    assert examine(x, plain, likelihood="bernoulli", seed=4).figures["distortion"] != first["distortion"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"encode": nn.Linear(9, 4)}, "encode=f\\(x\\): fails on x \\(16, 16\\) of float32 \\(RuntimeError: "),
        ({"decode": nn.Linear(9, 16)}, "decode=f\\(z\\): fails on z \\(16, 2\\) of float32 \\(RuntimeError: "),
        ({"decode": lambda z: z[:3].repeat(1, 8)}, "decode=3 outputs for 16 z: must give one for each"),
        ({"decode": lambda z: torch.rand(len(z), 16)}, "decode=another output at each call: must give the same"),
        ({"decode": lambda z: (z.repeat(1, 8),) * 2}, "decode gives a Normal; of two tensors of one shape"),
        ({"decode": lambda z: torch.where(z[:, :1] > 2, torch.nan, z.repeat(1, 8).sigmoid())}, "ELBO is not finite"),
        (
            {"distortion": lambda z, x: z - x},
            "distortion=f\\(z, x\\): fails on z \\(16, 2\\) of float32 and x \\(16, 16\\)",
        ),
        ({"decode": lambda z: 9 * z.repeat(1, 8)}, "outside \\[0, 1\\]; if they are logits, say output='logits'"),
        ({"likelihood": None}, "likelihood=None: must be given: one of bernoulli"),
        ({"likelihood": "bernouli"}, "did you mean bernoulli"),
        ({"variance": 1.0}, "needs likelihood='gaussian'"),
        ({"encode": lambda x: (torch.randn(len(x), 2), torch.zeros(len(x), 2))}, "the same each time"),
        ({"encode": lambda x: (x[:3], x[:3])}, "must be two tensors"),
        ({"encode": lambda x: (x / 0, x)}, "has diverged"),
        ({"encode": None}, "encode=None: must be given"),
        ({"decode": None}, "decode=None: must be given, or distortion"),
        ({"distortion": lambda z, x: x.mean()}, "must give one cost for each example"),
        ({"scale": "sigma"}, "scale=sigma: must be one of"),
        ({"prior": Independent(Poisson(torch.ones(2)), 1)}, "independent latents"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(plain, x, given, words):
    with pytest.raises(ArgumentError, match=words):
        examine(x, plain, **{"likelihood": "bernoulli", **given})


def test_data_outside_the_likelihood_are_refused(plain, x):
    with pytest.raises(ArgumentError, match="Bernoulli: needs data in \\[0, 1\\]; these reach from"):
        examine(3 * x, plain, likelihood="bernoulli")


def test_what_is_odd_is_noted(plain, x):
    assert "if it ends in a sigmoid" in str(examine(x, plain, likelihood="bernoulli", output="logits"))
    wide = examine(x, plain, encode=lambda x: (x[:, :2], 1 + x[:, :2]), likelihood="bernoulli")
    assert "say scale='stddev'" in str(wide)


def test_logits_and_pixels_give_the_same_figures(plain, x):
    logits = plain.decoder[:2]
    pixels = examine(x, plain, likelihood="bernoulli").figures
    agree(examine(x, plain, decode=logits, likelihood="bernoulli", output="logits").figures, pixels)


def test_a_distribution_says_its_likelihood_itself(plain, x):
    given = examine(x, plain, decode=lambda z: Normal(plain.decode(z), 0.5)).result
    named = examine(x, plain, likelihood="gaussian", variance=0.25).result
    agree(given.metrics, named.metrics)
    assert given.objective.spectrum == pytest.approx(named.objective.spectrum)
    other = examine(x, plain, decode=lambda z: Laplace(plain.decode(z), 1.0)).figures
    assert other["distortion"] == pytest.approx(examine(x, plain, likelihood="laplace").figures["distortion"])


def test_counts_are_scored_by_the_decoders_own_distribution():
    counts = torch.poisson(torch.full((30, 12), 4.0), generator=torch.Generator().manual_seed(0)).long()
    seen = []

    def encode(x):
        seen.append(x.dtype)
        return x[:, :2].float() / 9, torch.zeros(len(x), 2)

    report = vae_lab.examine(counts, encode=encode, decode=lambda z: Poisson(z.exp().repeat(1, 6)), **QUICK)
    assert set(seen) == {torch.int64}
    assert report.result.objective.scores == "mass"
    assert report.figures["rate"] > 0 and "psnr" not in report.figures


def test_only_figures_that_say_something_are_drawn(plain, x):
    seen = examine(x.clamp(0, 1), plain, likelihood="bernoulli")
    assert "scatter" in pictures.names(seen.model, picture=True) and "film" not in pictures.names(seen.model, True)
    assert pictures.names(seen.model, picture=False) == ["scatter", "pca"]
    spatial = vae_lab.examine(torch.rand(40, 1, 4, 4), model=Spatial(), likelihood="gaussian", **QUICK)
    assert not {"manifold", "traversals", "scatter"} & set(pictures.names(spatial.model, picture=True))


class Spatial(nn.Module):
    """Latents (B, 3, 4, 4), of which the decoder reads the first channel only."""

    def encode(self, x):
        mean = torch.cat([x, 0 * x, -x], 1)
        return mean, torch.full_like(mean, -2.0)

    def decode(self, z):
        return z[:, :1].sigmoid()


def test_spatial_latents_count_by_channel_or_by_element():
    x = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    model = Spatial()
    by_channel = vae_lab.examine(x, model=model, likelihood="gaussian", variance=0.01, **QUICK)
    by_element = vae_lab.examine(x, model=model, likelihood="gaussian", variance=0.01, units="element", **QUICK)
    assert len(by_channel.figures["rate_dim"]) == 3 and len(by_element.figures["rate_dim"]) == 48
    sums = torch.tensor(by_element.figures["rate_dim"]).view(3, 16).sum(1)
    assert by_channel.figures["rate_dim"] == pytest.approx(sums.tolist(), rel=1e-5)
    for name in ("elbo", "mutual_information", "shuffle_gap"):
        assert by_channel.figures[name] == pytest.approx(by_element.figures[name], rel=1e-5)
    assert by_channel.figures["shuffle_gap_dim"][1:] == [0, 0] or max(by_channel.figures["shuffle_gap_dim"][1:]) < 1e-6
    assert by_channel.figures["shuffle_gap_dim"][0] == pytest.approx(by_channel.figures["shuffle_gap"], rel=1e-5)
    assert by_channel.figures["active_units"] == 2 and (by_channel.verdict, by_channel.result.unused) == ("partial", 2)
    assert "3 × 4 × 4 in 3 channels" in str(by_channel)


def test_a_mean_over_the_latents_divides_the_weight_of_the_kl(plain, x):
    report = examine(x, plain, likelihood="bernoulli", beta=4, kl_reduction="mean")
    assert report.result.objective.effective_beta == 2


def test_a_prior_of_another_width_counts_in_the_rate(plain, x):
    wide = examine(x, plain, likelihood="bernoulli", prior=Normal(0.0, 3.0)).figures["rate"]
    assert wide > 1 + examine(x, plain, likelihood="bernoulli").figures["rate"]


def test_the_cause_is_only_likely_where_the_variance_is_a_guess(plain, x):
    nothing = {"encode": lambda x: (0 * x[:, :2], 0 * x[:, :2]), "likelihood": "gaussian"}
    assert examine(x, plain, **nothing).cause.certainty == "likely"
    told = examine(x, plain, variance=1.0, **nothing)
    assert told.cause.certainty == "established" and told.cause.kind == "variance"
    assert told.advice[1] == "+ distortion = 0.5 * x[0].numel() * F.mse_loss(x_hat, x).log()"


def test_what_is_saved_is_what_a_run_leaves(plain, x, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pictures, "names", lambda model, picture: ["reconstructions", "scatter"])
    report = examine(torch.cat([x, x], 1)[:, :, None].expand(-1, -1, 8), plain, **flattened(plain))
    folder = report.save(tmp_path / "examined")
    assert {file.name for file in folder.iterdir()} == {"result.json", "report.txt", "report.html", "figures"}
    assert {file.name for file in (folder / "figures").iterdir()} == {"reconstructions.png", "scatter.png"}
    assert Run.read(folder).result == report.result
    assert (folder / "report.txt").read_text() == f"{report}\n"
    assert json.loads((folder / "result.json").read_text())["examination"]["advice"] == report.advice
    assert finish(folder) == "" and "page:" in capsys.readouterr().out
    command = [sys.executable, "-m", "vae_lab.diagnose", f"run={folder}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "try, in your own code:\n  - loss = distortion + 99 * kl" in said and "python -m vae_lab " not in said


def flattened(plain):
    """A collapsed model of pictures 32 x 8."""
    return {
        "encode": lambda x: (0 * x[:, 0, :2], 0 * x[:, 0, :2]),
        "decode": lambda z: plain.decode(z)[:, :1, None].expand(-1, 32, 8),
        "likelihood": "bernoulli",
        "beta": 99,
    }


def held_up(x):
    """A KL of a quarter of a nat in each of two dimensions, of which the decoder below makes nothing."""
    return torch.full((len(x), 2), 0.5**0.5), torch.zeros(len(x), 2)


def test_a_kl_that_a_floor_holds_up_is_not_taken_for_a_used_latent(plain, x):
    nothing = {
        "encode": held_up,
        "decode": lambda z: 0.45 + 0.1 * plain.decode(z),
        "likelihood": "bernoulli",
        "beta": 0.5,
    }
    report = examine(x, plain, **nothing, floor=0.5)
    assert report.run.held_at_floor and report.verdict == "full"
    assert report.cause.words == "the method holds the rate at 0.5 nats, but z carries nothing"
    assert report.advice == [
        "a floor pays for a KL, not for its use: anneal the KL weight from 0 instead, or weaken the decoder"
    ]
    assert "say floor=" not in str(report)
    with pytest.raises(ArgumentError, match="floor=-1: must be"):
        examine(x, plain, **nothing, floor=-1)


def test_a_kl_that_the_loss_would_not_pay_for_is_asked_about(plain, x):
    used = examine(x, plain, encode=lambda x: (2 * x[:, :2], 0 * x[:, :2]), likelihood="bernoulli")
    assert used.result.rate_floor == 0 and "say floor=" not in str(used)
    asked = examine(x, plain, encode=lambda x: (2 * x[:, :2], 0 * x[:, :2]), likelihood="bernoulli", beta=99)
    assert "nats is more than this loss would pay for: if free bits" in " ".join(str(asked).split())


def test_a_cost_of_ones_own_needs_no_decoder_and_may_be_named(x):
    given = {"encode": lambda x: (x[:, :2], 0 * x[:, :2]), "distortion": lambda z, x: (x[:, :2] - z).square().sum(1)}
    report = vae_lab.examine(x, **given, **QUICK)
    assert "OwnDistortion likelihood" in str(report) and "taken for a sum" in str(report)
    assert "psnr" not in report.figures and "sharpness" not in report.figures
    named = vae_lab.examine(x, **given, likelihood="student-t", **QUICK)
    assert "student-t likelihood" in str(named) and "taken for a sum" not in str(named)


def test_an_encoder_that_draws_leaves_torchs_generators_as_they_were(plain, x):
    def encode(x):
        mean, log_variance = plain.encode(x)
        return {"z": mean + torch.randn_like(mean), "mean": mean, "log_var": log_variance}

    state = torch.random.get_rng_state()
    examine(x, plain, encode=encode, likelihood="bernoulli")
    assert torch.random.get_rng_state().equal(state)


def test_examples_that_cannot_be_measured_are_refused(plain, x):
    for data, words in (
        (x[:5], "data=5 examples: must be at least 10"),
        (x[:0], "holds no examples"),
        ("x", "data=str"),
    ):
        with pytest.raises(ArgumentError, match=words):
            examine(data, plain, likelihood="bernoulli")
    with pytest.raises(ArgumentError, match=r"of uint8 .* for pixels give data / 255"):
        examine((255 * x).byte(), plain, likelihood="bernoulli")
    with pytest.raises(ArgumentError, match=r"data of another range than these, .* to 25\d"):
        examine(255 * x, plain, encode=lambda x: (x[:, :2], 10 * x[:, :2]), likelihood="gaussian")


def test_a_dict_is_one_batch_of_all(plain, x):
    given = examine({"image": x}, plain, likelihood="bernoulli").figures
    assert given == examine(x, plain, likelihood="bernoulli").figures


def test_gaussian_pixels_of_two_tensors_and_a_cost_beside_a_decoder_are_scored_as_pictures():
    x = torch.rand(40, 64, generator=torch.Generator().manual_seed(0))
    parts = {"encode": lambda x: (x[:, :2], 0 * x[:, :2]), "decode": lambda z: z.repeat(1, 32).sigmoid()}
    pair = vae_lab.examine(x, **parts | {"decode": lambda z: (z.repeat(1, 32), 0 * z.repeat(1, 32))}, **QUICK)
    cost = vae_lab.examine(x, **parts, distortion=lambda z, x: (x - z[:, :1]).abs().sqrt().sum(1), **QUICK)
    for report in (pair, cost):
        assert report.picture and "psnr" in report.figures
    assert "none of those that are known here" in str(cost)


def test_networks_of_an_object_that_is_no_module_are_measured_in_evaluation_mode(plain, x):
    class Holder:
        def __init__(self):
            self.network = plain

        def encode(self, x):
            return self.network.encode(x)

        def decode(self, z):
            return self.network.decode(z)

    holder = Holder()
    wanted = examine(x, plain, likelihood="bernoulli").figures
    assert vae_lab.examine(x, model=holder, likelihood="bernoulli", **QUICK).figures == wanted
    by_lambdas = {"encode": lambda x: holder.encode(x), "decode": lambda z: holder.decode(z)}
    assert vae_lab.examine(x, **by_lambdas, likelihood="bernoulli", **QUICK).figures == wanted
    assert plain.training
