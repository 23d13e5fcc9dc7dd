"""The page, live and as a file, driven in Chromium."""

import time

import numpy as np
import pytest
import torch

from vae_lab.data import Npz
from vae_lab.explorer import export
from vae_lab.explorer.pixels import to_bytes
from vae_lab.latent_space import slerp

SIZES = pytest.mark.parametrize("width", [1280, 390])


@pytest.fixture(params=["live", "written"])
def place(request):
    """The page behind its server, and the page as a file."""
    return request.getfixturevalue(request.param)


def expected(place, z):
    """What the model decodes at z, as (H, W, 3) bytes."""
    z = torch.tensor(z, dtype=torch.float32)[None]
    picture = to_bytes(place.model.decode(z), place.scene.value_range)[0].numpy()
    return picture if picture.shape[-1] == 3 else picture.repeat(3, axis=-1)


def shows(page, place, z, off):
    assert np.abs(page.picture().astype(int) - expected(place, z)).max() <= off


@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dragging_decodes_where_the_point_is(visit, place, width, scheme):
    page = visit(place.address, width=width, scheme=scheme)
    start = page.settle()
    np.testing.assert_allclose(start, 0, atol=1e-6)
    before = page.picture()
    page.drag((60, -40), (20, 10), (30, 15))
    z = page.settle()
    side, (across, up) = page.run("return document.getElementById('plane').clientWidth"), place.scene.dims
    extent = 3.3
    assert z[across] == pytest.approx(110 / (side / 2) * extent, abs=0.05)
    assert z[up] == pytest.approx(15 / (side / 2) * extent, abs=0.05)
    assert (page.picture() != before).any()
    shows(page, place, z, off=2 if place.port == 0 else 1)
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_the_pixels_are_not_smoothed(visit, place):
    page = visit(place.address)
    style = "return getComputedStyle(document.getElementById('picture')).imageRendering"
    assert page.run(style) == "pixelated"


def test_sliders_are_sorted_by_use_and_move_the_picture(visit, place):
    page = visit(place.address)
    page.settle()
    sliders = page.chromium.find_elements("css selector", "#sliders input")
    order = [int(slider.get_attribute("data-dim")) for slider in sliders]
    assert order == place.scene.posteriors.by_use[2:]
    page.set(sliders[1], 2.5)
    z = page.settle()
    assert z[order[1]] == pytest.approx(2.5)
    assert np.count_nonzero(z) == 1
    shows(page, place, z, off=2)
    rate = float(place.scene.posteriors.rate_dim[order[1]])
    words = page.chromium.find_elements("css selector", "#sliders label")[1].text
    assert words.split()[-4:] == ["2.50", "·", "KL", f"{rate:.2f}"]


def test_the_plane_shows_the_dimensions_that_one_chooses(visit, place):
    page = visit(place.address)
    page.settle()
    *_, second_last, last = place.scene.posteriors.by_use
    page.set("across", str(last), "change")
    page.set("up", str(second_last), "change")
    page.drag((50, -50), (10, 0))
    z = page.settle()
    assert set(np.flatnonzero(np.abs(z) > 0.1)) == {last, second_last}
    shows(page, place, z, off=2)
    page.set("across", str(second_last), "change")  # the two change places
    assert page.element("up").get_property("value") == str(last)
    moved = {int(s.get_attribute("data-dim")) for s in page.chromium.find_elements("css selector", "#sliders input")}
    assert moved == set(range(5)) - {last, second_last}


def test_scrubbing_goes_from_one_image_to_the_other(visit, place):
    page = visit(place.address)
    page.settle()
    buttons = page.chromium.find_elements("css selector", "#gallery button")
    buttons[5].click()
    buttons[9].click()
    assert page.text("end-0").startswith("A: 5, label")
    assert page.text("end-1").startswith("B: 9, label")
    first, last = place.scene.posteriors.mean[[5, 9]]
    for path, way in (("lerp", torch.lerp(first, last, torch.tensor(0.25))), ("slerp", slerp(first, last, 5)[1])):
        page.chromium.find_element("css selector", f"[value={path}]").click()
        page.set("scrub", 0.25)
        z = page.settle()
        np.testing.assert_allclose(z, way, atol=2e-3)
        shows(page, place, z, off=2)


def test_the_gallery_turns_its_pages(visit, written):
    page = visit(written.address)
    page.element("others").click()
    assert page.chromium.find_element("css selector", "#gallery button").get_attribute("title").startswith("image 24,")


def test_the_nearest_posterior_is_named_with_its_distance_and_its_rate(visit, place):
    page = visit(place.address)
    page.drag((-30, 20), (5, 5))
    z = torch.tensor(page.settle())
    found = place.scene.posteriors
    distances = (((z - found.mean) / found.stddev) ** 2).sum(1).sqrt()
    nearest = int(distances.argmin())
    assert page.text("nearest-image") == f"{nearest}, label {found.labels[nearest]}"
    assert float(page.text("nearest-distance").split()[0]) == pytest.approx(float(distances[nearest]), abs=0.05)
    assert float(page.text("nearest-rate").split()[0]) == pytest.approx(float(found.rate[nearest].sum()), abs=0.01)


def test_keys_move_the_point_and_reset_it(visit, place):
    from selenium.webdriver.common.keys import Keys

    page = visit(place.address)
    plane, (across, up) = page.element("plane"), place.scene.dims
    plane.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    z = page.settle()
    assert (z[across], z[up]) == (pytest.approx(0.2), pytest.approx(0.1))
    plane.send_keys(Keys.SHIFT, Keys.ARROW_DOWN)
    assert page.settle()[up] == pytest.approx(-0.4)
    plane.send_keys(Keys.HOME)
    assert not page.settle().any()
    plane.send_keys(Keys.ARROW_LEFT)
    page.settle()
    page.element("reset").click()
    assert not page.settle().any()


def test_the_plane_is_drawn(visit, place):
    page = visit(place.address)
    page.settle()
    colours = len(np.unique(page.pixels("plane").reshape(-1, 3), axis=0))
    assert colours > 100
    assert len(page.chromium.find_elements("css selector", "#legend li")) == 10


def test_nothing_is_loaded(visit, place):
    page = visit(place.address)
    page.settle()
    assert page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)") in ([], ["data:,"])
    assert page.run("return Object.keys(window).filter((name) => /plane|explorer|decoder|scene/i.test(name))") == []


def test_names_are_text(visit, tmp_path, make):
    model, scene = make("model.latent_dim=2")
    name = '</script><script>document.title="run"</script><img src=x onerror="document.title=1">'
    object.__setattr__(scene, "about", name)
    done = export(model, scene, tmp_path / "page.html")
    page = visit(done.file.as_uri())
    assert page.text("about") == name
    assert page.chromium.title == "BetaVAE on Digits"


def test_one_latent_is_a_line(visit, serve, make):
    place = serve(*make("model.latent_dim=1"))
    page = visit(place.address)
    assert not page.element("up-label").is_displayed()
    assert not page.element("dims-part").is_displayed()
    page.drag((70, 30), (10, 10))
    z = page.settle()
    assert z.shape == (1,)
    assert z[0] > 0.5
    shows(page, place, z, off=1)


def test_colour_images_without_labels(visit, serve, make, tmp_path):
    images = np.random.default_rng(0).uniform(-3, 5, (200, 8, 8, 3)).astype("float32")
    np.savez(tmp_path / "colour.npz", images=images)
    data = Npz(path=str(tmp_path / "colour.npz"), batch_size=20)
    place = serve(*make("likelihood=gaussian", "model.latent_dim=3", data=data))
    page = visit(place.address)
    page.drag((70, 30), (10, 10))
    shows(page, place, page.settle(), off=1)
    assert page.text("end-1") == "B: 1"
    assert not page.chromium.find_elements("css selector", "#legend li")


def test_a_decoder_that_reads_pixels_follows_on_release(visit, serve, make):
    from selenium.webdriver.common.action_chains import ActionChains

    place = serve(*make("decoder=pixelcnn", "model.latent_dim=2", strength=1.0))
    page = visit(place.address)
    assert "One sample of p(x|z)" in page.text("caption")
    page.settle()
    count = page.run("return painted.length")
    actions = ActionChains(page.chromium, duration=20)
    actions.move_to_element_with_offset(page.element("plane"), 40, 40).click_and_hold()
    actions.move_by_offset(20, 20).move_by_offset(20, 20).perform()
    time.sleep(1)  # time enough for a picture, were one asked for
    assert page.run("return painted.length") == count
    actions.release().perform()
    page.wait(f"painted.length === {count + 1}")
    shows(page, place, page.settle(), off=1)


def test_a_server_that_ends_is_said(visit, serve, make):
    place = serve(*make("model.latent_dim=2"))
    page = visit(place.address)
    assert not page.element("message").is_displayed()
    place.server.should_exit = True
    page.wait("!document.getElementById('message').hidden")
    assert page.text("message").startswith("The server has ended.")
