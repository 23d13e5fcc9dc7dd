"""The functions for a loop of one's own are those that callbacks and models train with."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import vae_lab
from vae_lab.checks import ArgumentError
from vae_lab.elbo.controllers import ProportionalIntegral
from vae_lab.elbo.likelihoods import Gaussian
from vae_lab.elbo.penalties import CapacityPenalty, FreeBitsPenalty

KL = torch.rand(16, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("mode", FreeBitsPenalty.modes)
def test_free_bits_are_the_callbacks(mode):
    assert vae_lab.free_bits(KL, 0.5, mode) == FreeBitsPenalty(mode, 0.5).double()(KL)


def test_free_bits_are_flat_below():
    kl = KL.clone().requires_grad_()
    vae_lab.free_bits(kl, epsilon=2.0).backward()
    assert kl.grad.abs().max() == 0


def test_capacity_is_the_callbacks():
    assert vae_lab.capacity(KL, 5.0, 3.0) == CapacityPenalty(5.0, 3.0).double()(KL)


def test_the_controller_is_the_callbacks():
    controller, integral = ProportionalIntegral(target=1.0, kp=0.125, ki=0.0625).double(), 0.0
    state = controller.start()
    for scale in (1.0, 2.0, 0.1, 3.0):
        state, expected = controller(state, (scale * KL).sum(1).mean())
        weight, integral = vae_lab.pi_controller(scale * KL, integral, target=1.0, kp=0.125, ki=0.0625)
        torch.testing.assert_close(weight, expected)


def test_no_gradient_flows_through_the_weight():
    weight, integral = vae_lab.pi_controller(KL.clone().requires_grad_(), target=1.0)
    assert not weight.requires_grad and not integral.requires_grad


def test_bn_means_have_the_spread_and_the_shift():
    bn, shift = nn.BatchNorm1d(4, affine=False, eps=1e-12), torch.tensor([0.0, 1.0, 2.0, 3.0])
    mean = vae_lab.bn_mean(KL.float() * 7 - 3, bn, gamma=0.6, shift=shift)
    torch.testing.assert_close(mean.mean(0), shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(mean.std(0, correction=0), torch.full((4,), 0.6))


def test_optimal_sigma_is_the_root_of_the_squared_error_and_passes_gradients():
    x, reconstruction = KL.view(16, 1, 2, 2), torch.zeros(16, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    sigma = vae_lab.optimal_sigma(reconstruction, x)
    assert sigma.item() == pytest.approx(math.sqrt(x.square().mean()), rel=0.01)  # the clip is soft
    sigma.backward()
    assert reconstruction.grad.abs().max() > 0
    likelihood = Gaussian(fit="optimal").train().double()
    normal = torch.distributions.Normal(reconstruction, sigma).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(likelihood.log_prob(reconstruction, x), normal)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vae_lab.free_bits(KL.sum(1)), r"^kl=\(16,\): must be \(B, D\)"),
        (lambda: vae_lab.free_bits(KL, -1.0), r"^epsilon=-1\.0: must be"),
        (lambda: vae_lab.free_bits(KL, mode="each"), r"^mode=each: must be one of dimension, sample, total"),
        (lambda: vae_lab.capacity(KL, 1.0, 0.0), r"^gamma=0\.0: must be"),
        (lambda: vae_lab.capacity(KL[None], 1.0), r"^kl=\(1, 16, 4\): must be"),
        (lambda: vae_lab.kl_annealing(3, "linaer", steps=5), r"^schedule=linaer: must be one of .*did you mean linear"),
        (lambda: vae_lab.kl_annealing(3, steps=0), r"^steps=0: must be a whole number"),
        (lambda: vae_lab.pi_controller(KL, target=0.0), r"^target=0\.0: must be"),
        (lambda: vae_lab.pi_controller(KL, target=1.0, low=2.0, high=1.0), r"^high=1\.0: must be"),
        (lambda: vae_lab.bn_mean(KL, nn.Identity(), gamma=0), r"^gamma=0: must be"),
        (lambda: vae_lab.mmd(KL, KL, kernel="rfb"), r"^kernel=rfb: must be one of rbf, imq"),
        (lambda: vae_lab.mmd(KL, KL, bandwidth=0.0), r"^bandwidth=0\.0: must be"),
    ],
)
def test_mistakes_are_refused_in_one_line(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_the_package_imports_without_torch():
    code = "import sys, vae_lab; print('torch' in sys.modules, all(hasattr(vae_lab, name) for name in vae_lab.__all__))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False True\n"
    )
