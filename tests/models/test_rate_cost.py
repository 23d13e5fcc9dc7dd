"""What a rate costs: one buffer and one penalty, in a module of any kind."""

import pytest
import torch
from torch import nn

from vae_lab.callbacks.remedy import Payment
from vae_lab.checks import ArgumentError
from vae_lab.elbo.penalties import FreeBitsPenalty
from vae_lab.models import VAE, RateCost


class Loss(RateCost, nn.Module):
    """distortion + cost, of a rate (B, D)."""

    def forward(self, rate):
        return 20.0 + self.rate_cost(rate)


RATE = torch.tensor([[0.5, 1.0], [1.5, 2.0]])


def test_at_first_it_is_the_rate():
    assert Loss()(RATE).item() == 22.5


def test_weight_and_penalty_go_together():
    loss = Loss()
    loss.kl_weight.fill_(0.5)
    loss.penalty = FreeBitsPenalty("total", epsilon=4.0)
    assert loss(RATE).item() == 22.0
    assert {*loss.state_dict()} == {"kl_weight", "penalty.epsilon"}


def test_the_vae_pays_by_it():
    assert issubclass(VAE, RateCost)
    assert "rate_cost" not in vars(VAE)


@pytest.mark.parametrize("rate", [torch.ones(3), torch.ones(3, 2, 4, 4), torch.ones(())])
def test_a_rate_of_another_shape_is_refused(rate):
    with pytest.raises(ArgumentError, match=r"^rate=\(.*\): must be \(B, D\)"):
        Loss()(rate)


def test_it_compiles_and_stacks_while_it_is_watched(check_compiles_and_stacks):
    models = [Loss() for _ in range(3)]
    for k, model in enumerate(models):
        model.kl_weight.fill_(k / 2)
        model.penalty = FreeBitsPenalty("dimension", epsilon=float(k))
    payment = Payment(models[0])
    check_compiles_and_stacks(models, RATE)
    assert payment.rate is not None


def test_what_is_paid_for_is_seen_without_its_graph():
    model, rate = Loss(), RATE.clone().requires_grad_()
    payment = Payment(model)
    assert payment.rate is None
    model(rate).backward()
    torch.testing.assert_close(payment.rate, RATE)
    assert not payment.rate.requires_grad
    payment.handle.remove()
    model(rate * 2)
    torch.testing.assert_close(payment.rate, RATE)
