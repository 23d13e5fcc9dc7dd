"""FactorVAE: a discriminator estimates the total correlation, which the encoder lowers."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from vae_lab.checks import integer, number
from vae_lab.collective import batch_mean, gather_rows
from vae_lab.models.vae import VAE, Terms

SLOPE = 0.2  # of the leaky ReLU below 0


def permuted(z: Tensor, noise: Tensor) -> Tensor:
    """Samples of Π_d q(z_d): each dimension of z (B, D) in an order of its own, that of the noise (B, D) in the batch.

    Example:
        >>> z, noise = torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([[0.3, 0.9], [0.5, 0.1]])
        >>> permuted(z, noise)
        tensor([[1., 2.],
                [2., 1.]])
    """
    return z.gather(0, noise.argsort(0))


class FactorVAE(VAE):
    """FactorVAE (Kim & Mnih 2018).

    loss = distortion + kl_weight · penalty(rate) + γ · mean_b D(z_b)

    with D the log-odds by which a discriminator takes z for a draw of q(z) rather than of Π_d q(z_d). Were it perfect,
    its mean over q(z) would be the total correlation. It learns beside the loss, to tell z from the same z with each
    dimension permuted over the batch of all processes; its cross-entropy is logged as ``discriminator_loss`` (nats per
    sample, ln 2 when it guesses), and touches neither the loss' value nor the gradients of the VAE. The paper trains it
    with an optimizer of its own (Adam, lr 1e-4, β 0.5 and 0.9) on a second batch; here both share one optimizer and
    one batch, so figures at one γ need not be the paper's.

    Args:
        gamma: γ >= 0.
        hidden: width of the discriminator.
        layers: its hidden layers.
        parts: the arguments of ``VAE``.

    Raises:
        ValueError: when γ is negative, or for widths that are not whole numbers >= 1.

    Example:
        >>> from vae_lab.elbo.likelihoods import Bernoulli
        >>> from vae_lab.networks import MLPDecoder, MLPEncoder
        >>> parts = {"encoder": MLPEncoder((1, 8, 8), 4), "decoder": MLPDecoder((1, 8, 8), 4)}
        >>> model = FactorVAE(likelihood=Bernoulli(), latent_dim=4, **parts)
        >>> list(model(torch.rand(5, 1, 8, 8), torch.randn(2, 5, 4)).extra)
        ['total_correlation', 'discriminator_loss']
    """

    plain_elbo: ClassVar[bool] = False
    noise_streams: int = 2
    gamma: Tensor

    def __init__(self, *, gamma: float = 10.0, hidden: int = 256, layers: int = 3, **parts: Any) -> None:
        super().__init__(**parts)
        self.register_buffer("gamma", torch.tensor(number("gamma", gamma, low=0)))
        wide, network = integer("hidden", hidden), list[nn.Module]()
        for i in range(integer("layers", layers)):
            network += [nn.Linear(wide if i else self.latent_dim, wide), nn.LeakyReLU(SLOPE)]
        self.discriminator = nn.Sequential(*network, nn.Linear(wide, 1))
        self.min_batch_size = 2

    def objective(self, terms: Terms) -> tuple[Tensor, dict[str, Tensor]]:
        loss, extra = super().objective(terms)
        fixed = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        correlation = batch_mean(functional_call(self.discriminator, fixed, (terms.z,))[:, 0])
        z, noise = gather_rows(terms.z.detach()), gather_rows(terms.noise[1])
        told = softplus(-self.discriminator(z)) + softplus(self.discriminator(permuted(z, noise)))
        error = 0.5 * told.mean()
        own = error - error.detach()  # its gradient, without its value
        figures = {"total_correlation": correlation, "discriminator_loss": error}
        return loss + self.gamma * correlation + own, extra | figures
