"""Sprites: every combination of factors once, no two alike, each factor moving what it names."""

import numpy as np
import pytest
import torch

from vae_lab.data import Sprites
from vae_lab.data.rows import Rows
from vae_lab.data.shapes import SHAPES, coverage
from vae_lab.data.sprites import ANGLES, COLOURS, COUNTS, PLACES, RADII


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return Sprites(tmp_path_factory.mktemp("data"), batch_size=50)


@pytest.fixture(scope="module")
def images(data):
    """All images by their factors: (3, 4, 8, 8, 8, 4, H, W, 3)."""
    return np.load(data.root / "sprites" / "sprites_32.npy", mmap_mode="r").reshape(*COUNTS, 32, 32, 3)


def test_each_combination_comes_once_and_no_two_images_are_equal(data, images):
    factors = torch.cat([split.factors for split in data.splits.values()])
    assert len({tuple(row) for row in factors.tolist()}) == len(factors) == 24_576
    assert factors.amax(0).tolist() == [count - 1 for count in COUNTS]
    assert len({image.tobytes() for image in images.reshape(-1, 32 * 32 * 3)}) == 24_576


def test_a_batch_has_the_factors_of_its_images(data, images):
    batch = next(data.train_stream(1))
    assert batch.factors.dtype == torch.int64
    for x, factors in zip(batch.x, batch.factors.tolist(), strict=True):
        np.testing.assert_array_equal((x * 255).round().byte().permute(1, 2, 0).numpy(), images[tuple(factors)])


def test_images_stay_on_disk(data):
    assert all(isinstance(split.images, Rows) for split in data.splits.values())
    assert data.value_range == (0.0, 1.0)


def test_the_same_images_wherever_they_are_drawn(data, images, tmp_path):
    other = Sprites(tmp_path, batch_size=50)
    np.testing.assert_array_equal(np.load(tmp_path / "sprites" / "sprites_32.npy").reshape(images.shape), images)
    assert all(other.splits[name].factors.equal(split.factors) for name, split in data.splits.items())


def test_position_moves_the_shape_and_nothing_else(images):
    for x, y in ((3, 0), (0, 5), (7, 7)):
        moved = np.roll(images[:, :, :, 0, 0], (2 * y, 2 * x), axis=(-3, -2))
        np.testing.assert_array_equal(images[:, :, :, x, y], moved)


def test_scale_is_the_area_and_colour_the_colour(images):
    area = images[:, :, 0, 0, 0, 0].max(-1).sum((-1, -2), dtype=float)
    np.testing.assert_allclose(area / area[:, :1], np.tile((np.array(RADII) / RADII[0]) ** 2, (3, 1)), rtol=0.03)
    centre = images[0, 3, 0, 0, 0][:, 8:10, 8:10].reshape(4, -1, 3)
    assert (centre == np.array(COLOURS)[:, None]).all()


def test_orientation_turns_the_shape_about_its_middle():
    for shape in range(len(SHAPES)):
        quarter, upright = coverage(shape, 7.0, np.pi / 2, 18), coverage(shape, 7.0, 0.0, 18)
        np.testing.assert_allclose(quarter, np.rot90(upright), atol=0.02)
    assert max(ANGLES) < np.pi / 2


@pytest.mark.parametrize(("shape", "area"), [(0, 2.0), (1, np.pi / 2)])
def test_shapes_have_the_area_of_their_formula(shape, area):
    assert coverage(shape, 50.0, 0.3, 110).sum() == pytest.approx(area * 50.0**2, rel=1e-3)


@pytest.mark.parametrize("size", [32, 64])
def test_no_shape_leaves_its_place(size):
    """Each lies whole inside the window that is moved about."""
    side = size - (PLACES - 1) * (size // 16)
    for shape, angle in np.ndindex(len(SHAPES), len(ANGLES)):
        wide = coverage(shape, max(RADII) * size / 2, ANGLES[angle], 2 * side)
        assert wide.sum() == pytest.approx(coverage(shape, max(RADII) * size / 2, ANGLES[angle], side).sum())


@pytest.mark.parametrize("size", [48, "32", 0])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match=f"^size={size}: must be 32 or 64"):
        Sprites("nowhere", size=size)


def test_a_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "sprites").write_text("a file where the folder should be")
    with pytest.raises(ValueError, match=r"^root=.*: sprites_32.npy cannot be written there .*data\.root=DIR"):
        Sprites(tmp_path)
