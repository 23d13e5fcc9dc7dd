"""Data modules: where images come from, and how they are cut into splits and batches."""

from vae_lab.data.batch import Batch, as_batch
from vae_lab.data.binarized_mnist import BinarizedMNIST
from vae_lab.data.celeba import CelebA
from vae_lab.data.clusters import Clusters
from vae_lab.data.digits import Digits
from vae_lab.data.dsprites import DSprites
from vae_lab.data.frey import FreyFaces
from vae_lab.data.gaussian import GaussianData
from vae_lab.data.image_folder import ImageFolder
from vae_lab.data.imagenet32 import ImageNet32
from vae_lab.data.images import Batches, ImageData, Split
from vae_lab.data.npz import Npz
from vae_lab.data.omniglot import Omniglot
from vae_lab.data.sprites import Sprites
from vae_lab.data.torchvision_sets import CIFAR10, EMNIST, KMNIST, MNIST, SVHN, FashionMNIST

__all__ = [
    "CIFAR10",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "SVHN",
    "Batch",
    "Batches",
    "BinarizedMNIST",
    "CelebA",
    "Clusters",
    "DSprites",
    "Digits",
    "FashionMNIST",
    "FreyFaces",
    "GaussianData",
    "ImageData",
    "ImageFolder",
    "ImageNet32",
    "Npz",
    "Omniglot",
    "Split",
    "Sprites",
    "as_batch",
]
