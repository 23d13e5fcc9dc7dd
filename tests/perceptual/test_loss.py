import pytest
import torch

from vae_lab.perceptual import PerceptualLoss, distance
from vae_lab.perceptual.loss import unit


def maps():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 4, 5, generator=generator), torch.randn(2, 7, 2, 2, generator=generator)]


def test_it_is_the_mean_over_places_of_the_squared_difference_of_unit_vectors():
    ours, others = maps(), [m.flip(0) + 1 for m in maps()]
    expected = torch.zeros(2, dtype=torch.float64)
    for f, g in zip(ours, others, strict=True):
        _, _, height, width = f.shape
        for b in range(2):
            for i in range(height):
                for j in range(width):
                    one, other = f[b, :, i, j].double(), g[b, :, i, j].double()
                    expected[b] += (one / one.norm() - other / other.norm()).square().sum() / (height * width)
    torch.testing.assert_close(distance(ours, others).double(), expected)


def test_scale_does_not_matter_and_zero_maps_have_a_gradient():
    torch.testing.assert_close(distance(maps(), [3 * m for m in maps()]), torch.zeros(2), atol=1e-6, rtol=0)
    nothing = torch.zeros(1, 3, 2, 2, requires_grad=True)
    distance([nothing], [torch.ones(1, 3, 2, 2)]).sum().backward()
    assert nothing.grad.isfinite().all()


def test_a_layer_counts_from_0_to_4():
    f = [torch.ones(1, 1, 2, 2)]
    assert distance(f, f).item() == 0
    assert distance(f, [-f[0]]).item() == pytest.approx(4)


def test_half_floats_are_normalised_in_full():
    assert unit(maps()[0].bfloat16()).dtype == torch.float32
    assert unit(maps()[0].double()).dtype == torch.float64


def test_lambda_is_a_buffer_and_never_negative():
    assert PerceptualLoss(3.0).state_dict() == {"lambd": torch.tensor(3.0)}
    with pytest.raises(ValueError, match="lambd=-1: must be a finite number >= 0"):
        PerceptualLoss(-1)
