"""A page in Chromium, and a server for it in this process."""

import threading
import time
from typing import NamedTuple

import numpy as np
import pytest
import torch

from vae_lab.config.compose import compose_config
from vae_lab.data import Digits
from vae_lab.explorer import export, scene_of
from vae_lab.explorer.live import explorer, open_port
from vae_lab.training.assembly import build_model


def made(*overrides, strength=3.0, data=None):
    """A model with weights so large that its pictures differ, and the scene of it on digits."""
    data = data or Digits()
    model, _ = build_model(compose_config(list(overrides)), data.image_shape)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(strength)
    model.eval().requires_grad_(False)
    return model, scene_of(model, data)


@pytest.fixture(scope="session")
def make():
    """Makes a model from a config, and the scene of it."""
    return made


class Served(NamedTuple):
    """A page behind its server."""

    address: str
    port: int
    model: torch.nn.Module
    scene: object
    server: object = None


@pytest.fixture(scope="session")
def serve():
    """Serves a model and its scene until the tests end."""
    running = []

    def start(model, scene):
        listener, address = open_port(0)
        server = explorer(model, scene, listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread, listener))
        return Served(address, listener.getsockname()[1], model, scene, server)

    yield start
    for server, thread, listener in running:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


@pytest.fixture(scope="session")
def live(serve):
    """A β-VAE with five latents on digits, served."""
    return serve(*made("model.latent_dim=5"))


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The same as a file."""
    model, scene = made("model.latent_dim=5")
    file = tmp_path_factory.mktemp("page") / "latents.html"
    export(model, scene, file)
    return Served(file.as_uri(), 0, model, scene)


class Page:
    """The page in Chromium: what a person does with it and what it then shows."""

    def __init__(self, chromium, address, width=1280, scheme="light"):
        self.chromium = chromium
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        chromium.get_log("browser")
        listen = (
            "window.painted = []; document.addEventListener('painted', (event) => painted.push(event.detail), true);"
        )
        script = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": listen})
        chromium.get(address)
        chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        self.wait("painted.length")

    def run(self, script, *arguments):
        return self.chromium.execute_script(script, *arguments)

    def wait(self, condition):
        """Wait until a JavaScript expression is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.chromium, 20, poll_frequency=0.02).until(
            lambda _: self.run(f"return {condition}"), condition
        )

    def element(self, name):
        return self.chromium.find_element("id", name)

    def text(self, name):
        return self.element(name).text

    def drag(self, start, *moves):
        """Press at a place, counted from the middle of the plane, move and let go."""
        from selenium.webdriver.common.action_chains import ActionChains

        actions = ActionChains(self.chromium, duration=20)
        actions.move_to_element_with_offset(self.element("plane"), *start).click_and_hold()
        for move in moves:
            actions.move_by_offset(*move)
        actions.release().perform()

    def settle(self):
        """Wait until no new picture comes; the position (D,) of the last one."""
        count = -1
        while count != (count := self.run("return painted.length")):
            time.sleep(0.2)
        return np.array(self.run("return painted.at(-1)"))

    def pixels(self, name):
        """The pixels (H, W, 3) of a canvas."""
        width, height, values = self.run(
            "const { width, height } = arguments[0];"
            "const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });"
            "copy.drawImage(arguments[0], 0, 0);"
            "return [width, height, Array.from(copy.getImageData(0, 0, width, height).data)]",
            self.element(name),
        )
        return np.array(values).reshape(height, width, 4)[..., :3]

    def picture(self):
        """The picture's bytes (H, W, 3)."""
        return self.pixels("picture")

    def set(self, name, value, event="input"):
        """Move a slider, or choose an option."""
        self.run(
            "const [element, value, event] = arguments; element.value = value;"
            "element.dispatchEvent(new Event(event, { bubbles: true }))",
            name if not isinstance(name, str) else self.element(name),
            value,
            event,
        )

    def complaints(self):
        return self.chromium.get_log("browser")


@pytest.fixture
def visit(chromium):
    """Opens a page; at the end of the test nothing may stand in the console."""
    pages = []

    def start(address, **options):
        pages.append(Page(chromium, address, **options))
        return pages[-1]

    yield start
    for page in pages:
        assert page.complaints() == []
        page.chromium.get("about:blank")
        page.chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
