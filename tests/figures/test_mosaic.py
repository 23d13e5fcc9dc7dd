"""Images as pictures, and many of them as one."""

import numpy as np
import pytest

from vae_lab.figures.mosaic import as_pictures, mosaic


def test_the_range_of_the_data_becomes_black_to_white():
    images = np.array([-2.0, 0.0, 2.0, 9.0]).reshape(4, 1, 1, 1)
    assert as_pictures(images, (-2.0, 2.0))[:, 0, 0, 0].tolist() == [0, 128, 255, 255]


@pytest.mark.parametrize(("channels", "expected"), [(1, [51, 51, 51]), (3, [51, 102, 153]), (2, [76, 76, 76])])
def test_three_channels_are_colours_others_a_grey_mean(channels, expected):
    image = (np.arange(1, channels + 1) / 5).reshape(channels, 1, 1)
    assert as_pictures(image, (0.0, 1.0))[0, 0].tolist() == pytest.approx(expected, abs=1)


def test_a_single_value_and_what_is_not_finite_are_no_error():
    assert as_pictures(np.full((1, 2, 2), np.nan), (0.0, 1.0)).max() == 0
    assert as_pictures(np.ones((1, 2, 2)), (1.0, 1.0)).shape == (2, 2, 3)


def test_pictures_lie_in_rows_with_white_between():
    pictures = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1).repeat(3, -1)
    whole = mosaic(pictures, gap=1)[..., 0]
    assert whole.tolist() == [[0, 255, 1, 255, 2], [255] * 5, [3, 255, 4, 255, 5]]
    assert mosaic(pictures)[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]
