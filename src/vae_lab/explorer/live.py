"""The page that asks this process for its pictures."""

import socket
from collections.abc import Callable

import numpy as np
import torch
import uvicorn
from numpy.typing import NDArray

from vae_lab.explorer.page import document
from vae_lab.explorer.pixels import to_bytes
from vae_lab.explorer.scene import Scene
from vae_lab.explorer.server import NAMES, application, listening, server
from vae_lab.models import VAE

MANY_PIXELS = 10_000  # values of an image from which on two threads are faster than one


def decoding(model: VAE, scene: Scene) -> Callable[[NDArray[np.float32]], bytes]:
    """A function from a position (D,) to the bytes of its picture."""
    threads = 2 if np.prod(scene.picture) >= MANY_PIXELS else 1

    @torch.inference_mode()
    def decode(z: NDArray[np.float32]) -> bytes:
        torch.set_num_threads(threads)
        images = model.decode(torch.tensor(z)[None])
        return to_bytes(images, scene.value_range).numpy().tobytes()

    return decode


def open_port(port: int) -> tuple[socket.socket, str]:
    """A socket that listens, and the page's address."""
    listener = listening(port)
    host, found = listener.getsockname()
    return listener, f"http://{host}:{found}/"


def explorer(model: VAE, scene: Scene, listener: socket.socket) -> uvicorn.Server:
    """The server of the page of a scene; ``run(sockets=[listener])`` goes on until a signal ends it."""
    port = listener.getsockname()[1]
    connect = " ".join(["'self'", *(f"ws://{name}:{port}" for name in NAMES)])
    page = document(scene.content(), connect)
    return server(application(page, decoding(model, scene), model.latent_dim, port))
