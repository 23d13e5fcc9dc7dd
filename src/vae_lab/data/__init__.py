"""Data modules: where images come from, and how they are cut into splits and batches."""

from vae_lab.data.batch import Batch, as_batch
from vae_lab.data.binarized_mnist import BinarizedMNIST
from vae_lab.data.clusters import Clusters
from vae_lab.data.digits import Digits
from vae_lab.data.gaussian import GaussianData
from vae_lab.data.image_folder import ImageFolder
from vae_lab.data.images import Batches, ImageData, Split
from vae_lab.data.npz import Npz
from vae_lab.data.torchvision_sets import CIFAR10, MNIST, FashionMNIST

__all__ = [
    "CIFAR10",
    "MNIST",
    "Batch",
    "Batches",
    "BinarizedMNIST",
    "Clusters",
    "Digits",
    "FashionMNIST",
    "GaussianData",
    "ImageData",
    "ImageFolder",
    "Npz",
    "Split",
    "as_batch",
]
