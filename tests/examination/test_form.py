"""Examples become images and come back as they were."""

import pytest
import torch

from vae_lab.checks import ArgumentError
from vae_lab.examination.examples import Examples
from vae_lab.examination.form import Form
from vae_lab.examination.given_data import GivenData

SHAPES = {
    (3, 8, 6): (3, 8, 6),
    (8, 6, 3): (3, 8, 6),
    (8, 6): (1, 8, 6),
    (64,): (1, 8, 8),
    (20,): (1, 1, 20),
    (2, 3, 4, 5): (1, 1, 120),
    (7, 4, 9): (7, 4, 9),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_images_and_back(shape):
    x = torch.rand(12, *shape)
    form = Form.of(x)
    assert form.images(x).shape == (12, *SHAPES[shape])
    assert form.given(form.images(x)).equal(x)


def test_what_is_no_picture_is_known():
    assert not Form.of(torch.rand(3, 20)).picture
    assert not Form.of(torch.randn(3, 64)).picture  # a square, but not of grey values
    assert Form.of(torch.rand(3, 64)).picture


def test_whole_numbers_come_back_whole_and_bytes_as_grey_values():
    tokens = torch.randint(50_000, (12, 9))
    assert Form.of(tokens).given(Form.of(tokens).images(tokens.float())).equal(tokens)
    assert Form.of(torch.zeros(12, 8, 8, dtype=torch.uint8)).dtype == torch.float32
    data = GivenData(Examples(torch.full((12, 8, 8), 51, dtype=torch.uint8)), None, Form.of(torch.zeros(12, 8, 8)))
    assert float(data.batch("test", torch.arange(2)).x.max()) == pytest.approx(0.2)


def test_the_precision_is_that_of_the_model():
    assert Form.of(torch.rand(3, 20), torch.float64).dtype == torch.float64


def test_a_decoder_of_another_size_is_refused():
    with pytest.raises(ArgumentError, match="decode=its output: gives \\(5,\\) for each z; an example has the shape"):
        Form.of(torch.rand(3, 20)).images(torch.rand(3, 5))


def test_nan_is_refused():
    x = torch.rand(12, 20)
    x[3, 4] = torch.nan
    with pytest.raises(ArgumentError, match="NaN or infinite values in 1 of them"):
        GivenData(Examples(x), None, Form.of(x))
