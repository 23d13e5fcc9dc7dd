"""How Lightning sees a run on several devices: processes that are there already, one for each device."""

import signal
from threading import current_thread, main_thread

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from typing_extensions import override

from vae_lab.models import VAE


class Member(ClusterEnvironment):
    """One process of a run, which is in its group of processes already: Lightning starts none, and connects none.

    Args:
        rank: its number, from 0.
    """

    creates_processes_externally = True
    main_address, main_port = "", 0  # where processes would meet

    def __init__(self, rank: int) -> None:
        self.rank, self.size = rank, 1

    @staticmethod
    @override
    def detect() -> bool:
        return False

    @override
    def world_size(self) -> int:
        return self.size

    @override
    def set_world_size(self, size: int) -> None:
        self.size = size

    @override
    def global_rank(self) -> int:
        return self.rank

    @override
    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is known."""

    @override
    def local_rank(self) -> int:
        return self.rank

    @override
    def node_rank(self) -> int:
        return 0


def strategy(rank: int, some_idle: bool) -> DDPStrategy:
    """DistributedDataParallel for a rank; ``some_idle``: a parameter may have no gradient at a step.

    Buffers are equal in all ranks without being sent.
    """
    return DDPStrategy(cluster_environment=Member(rank), broadcast_buffers=False, find_unused_parameters=some_idle)


class OwnSignals(Callback):
    """Leaves SIGTERM to whoever handled it before the training.

    Lightning's handler sends it to the other ranks from within, in the midst of another collective: all would wait for
    each other without end.
    """

    def __init__(self) -> None:
        self.handler = signal.getsignal(signal.SIGTERM)

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.restore()

    @override
    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.restore()

    def restore(self) -> None:
        """Take the signal back."""
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, self.handler)


def has_idle_parameters(model: VAE, x: Tensor) -> bool:
    """Whether the loss of images x (B, C, H, W) leaves a parameter without a gradient. The model stays as it is."""
    was_training = model.training
    loss = model.eval()(x, torch.zeros(model.noise_streams, len(x), model.latent_dim)).loss
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    model.train(was_training)
    return any(gradient is None for gradient in gradients)
