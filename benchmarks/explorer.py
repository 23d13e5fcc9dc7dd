"""How long the explorer's picture lags behind the pointer, in headless Chromium on this machine.

    python benchmarks/explorer.py
    python benchmarks/explorer.py RUN [RUN ...]

A drag is one pointer event; it ends when the frame with its picture has been drawn. Each drag waits for the one before.
Without a run directory it takes untrained models on random images: what the weights are makes no difference to time.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from vae_lab.config.compose import compose_config
from vae_lab.data import Npz
from vae_lab.explorer import Scene, export, scene_of
from vae_lab.explorer.live import explorer, open_port
from vae_lab.models import VAE
from vae_lab.training.assembly import build_model
from vae_lab.training.loading import load

IMAGES = 20_000  # of which a tenth is the test split
MODELS = {
    "digits MLP": (8, ["model.latent_dim=4"]),
    "MNIST MLP": (28, ["model.latent_dim=20", "decoder.hidden=[400]", "encoder.hidden=[400]"]),
    "MNIST conv": (28, ["model.latent_dim=20", "decoder=conv", "encoder=conv"]),
}
WATCH = """
window.lags = [];
let began = 0;
document.addEventListener("pointermove", (event) => (began = event.timeStamp), true);
document.addEventListener("painted", () => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => lags.push(performance.now() - began);
  channel.port2.postMessage(null);
}), true);
"""


def untrained(side: int, overrides: list[str], folder: Path) -> tuple[VAE, Scene]:
    """A model with the weights that training begins with, on random images."""
    file = folder / f"{side}.npz"
    if not file.exists():
        rng = np.random.default_rng(0)
        np.savez(file, images=rng.integers(0, 256, (IMAGES, side, side), np.uint8), labels=rng.integers(0, 10, IMAGES))
    data = Npz(file)
    model, _ = build_model(compose_config(overrides), data.image_shape)
    return model.eval().requires_grad_(False), scene_of(model, data)


def models(runs: list[str], folder: Path) -> Iterator[tuple[str, VAE, Scene]]:
    """The models to measure, by name."""
    for run in runs:
        model, data = load(run, with_data=True)
        yield Path(run).name, model, scene_of(model, data)
    for name, (side, overrides) in {} if runs else MODELS.items():
        yield name, *untrained(side, overrides, folder)


@contextmanager
def served(model: VAE, scene: Scene) -> Iterator[str]:
    """The address of the page behind its server, which ends with the block."""
    listener, address = open_port(0)
    server = explorer(model, scene, listener)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield address
    server.should_exit = True
    thread.join()


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    chrome.set_window_size(1280, 1000)
    yield chrome
    chrome.quit()


def lags(chrome: Any, address: str, drags: int) -> list[float]:
    """Milliseconds from pointer to picture of each drag, after three that do not count."""
    chrome.get(address)
    chrome.execute_script(WATCH)
    place = chrome.execute_script("return document.getElementById('plane').getBoundingClientRect().toJSON()")
    middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    pointer(chrome, "mousePressed", *middle)
    for i in range(drags + 3):
        pointer(chrome, "mouseMoved", middle[0] + 150 * np.sin(i / 5), middle[1] + 150 * np.cos(i / 7))
        until = time.monotonic() + 10
        while chrome.execute_script("return lags.length") <= i and time.monotonic() < until:
            time.sleep(0.005)
    pointer(chrome, "mouseReleased", *middle)
    found: list[float] = chrome.execute_script("return lags")
    return found[3:]


def pointer(chrome: Any, kind: str, x: float, y: float) -> None:
    """One event of the mouse."""
    event = {"type": kind, "x": float(x), "y": float(y), "button": "left", "buttons": 1, "clickCount": 1}
    chrome.execute_cdp_cmd("Input.dispatchMouseEvent", event)


def line(name: str, found: list[float]) -> str:
    """A row of the table."""
    tenths = statistics.quantiles(found, n=10)
    return f"{name:<32}{statistics.median(found):8.1f} ms {tenths[-1]:8.1f} ms"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", help="run directories")
    parser.add_argument("--drags", type=int, default=50)
    options = parser.parse_args(arguments)
    print(f"{'pointer to picture':<32}{'median':>11}{'nine of ten':>12}")
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        for name, model, scene in models(options.runs, Path(folder)):
            with served(model, scene) as address:
                print(line(f"{name}, live", lags(chrome, address, options.drags)))
            file = export(model, scene, Path(folder) / "page.html")
            print(line(f"{name}, file ({file.bytes / 1e6:.2f} MB)", lags(chrome, file.file.as_uri(), options.drags)))


if __name__ == "__main__":
    main()
