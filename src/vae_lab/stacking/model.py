"""The stacked model: the tensors of K models of one form as one tensor each, and one pass for all of them.

Each model stays what it is, but its parameters and buffers become rows of the stack: whoever moves a coefficient of
one, reads its weights or measures it, does so as ever.

Shapes: K models, B batch, S noise streams, D latent.
"""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from vae_lab.models import VAE, Output, Terms


class StackedModel:
    """K models of one form.

    Args:
        models: which become rows of the stack, on the device that they are on.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.models import BetaVAE
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> shape = (1, 8, 8)
        >>> models = [
        ...     BetaVAE(beta=beta, encoder=MLPEncoder(shape, 2), decoder=MLPDecoder(shape, 2),
        ...             likelihood=Bernoulli(), latent_dim=2)
        ...     for beta in (1.0, 4.0)
        ... ]
        >>> stack = StackedModel(models)
        >>> stack(torch.rand(2, 5, 1, 8, 8), torch.randn(2, 1, 5, 2)).loss.shape
        torch.Size([2])
    """

    def __init__(self, models: Sequence[VAE]) -> None:
        self.models = models
        self.form = copy.deepcopy(models[0]).to("meta")
        self.parameters, self.buffers = stacked(models, "parameters"), stacked(models, "buffers")
        for k, model in enumerate(models):
            make_rows(model, {name: tensor[k] for name, tensor in (self.parameters | self.buffers).items()})
        for name, parameter in models[0].named_parameters():
            self.parameters[name].requires_grad_(parameter.requires_grad)

    def train(self, mode: bool = True) -> None:
        """Put all models into training mode, or into that of evaluation."""
        for model in (self.form, *self.models):
            model.train(mode)

    def __call__(self, x: Tensor, noise: Tensor, rows: slice = slice(None)) -> Output:
        """The pass of each model over images x (K, B, C, H, W) with noise (K, S, B, D); every figure has K rows.

        Images (B, C, H, W) are the same for all. ``rows`` chooses some of the models.
        """
        tensors = self.parameters | self.buffers
        if rows != slice(None):
            tensors = {name: tensor[rows] for name, tensor in tensors.items()}
        of_x = 0 if x.ndim > 4 else None
        output: Output = torch.func.vmap(self.one, in_dims=(0, of_x, 0))(tensors, x, noise)
        return output

    def one(self, tensors: dict[str, Tensor], x: Tensor, noise: Tensor) -> Output:
        """The pass of one model with these parameters and buffers."""
        output: Output = torch.func.functional_call(self.form, tensors, (x, noise))
        return output


def stacked(models: Sequence[VAE], kind: str) -> dict[str, Tensor]:
    """The ``parameters`` or ``buffers`` of all models by name, each (K, ...)."""
    named = [dict(getattr(model, f"named_{kind}")()) for model in models]
    return {name: torch.stack([tensors[name].detach() for tensors in named]) for name in named[0]}


def make_rows(model: nn.Module, rows: dict[str, Tensor]) -> None:
    """Give a model's parameters and buffers the memory of these rows."""
    for name, parameter in model.named_parameters():
        parameter.data = rows[name].detach()
    for name, _ in list(model.named_buffers()):
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, rows[name])


def row_of(output: Output, k: int) -> Output:
    """The pass of one model among those of all, without its graph."""
    extra = {name: value[k].detach() for name, value in output.extra.items()}
    return Output(output.loss[k].detach(), extra, Terms(*(term[k].detach() for term in output.terms)))
