"""What figures are drawn of: choices of images, and pictures of any model."""

import pytest
import torch

from vae_lab.checks import ArgumentError
from vae_lab.config.compose import compose_config
from vae_lab.data import Digits, Sprites
from vae_lab.gallery import NAMES, Measured, Settings, Subject, draw, record
from vae_lab.latent_space import Posteriors
from vae_lab.training.assembly import assemble, build_model


def subject_of(*overrides, data=None, settings=None, **more):
    data = data or Digits(eval_batch_size=100)
    model, _ = build_model(compose_config([*overrides]), data.image_shape)
    return Subject(model.eval(), data, settings or Settings(), **more)


def test_images_are_found_by_index_class_or_chance():
    subject = subject_of(settings=Settings(start="12", stop="class:3", through=("random", "class:0")))
    labels = subject.data.splits["test"].labels
    assert subject.ends[0] == 12
    assert int(labels[subject.ends[1]]) == 3
    assert int(labels[subject.through[1]]) == 0
    assert subject.find("from", "random", "a") != subject.find("from", "random", "b")
    assert subject.find("from", "random", "a") == subject.find("from", "random", "a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "300"}, r"from=300: must be an image of the split \(test\), 0 to 299, class:LABEL or random"),
        ({"stop": "class:77"}, r"to=class:77: no image has that label; labels: 0, 1, 2"),
        ({"through": ("1", "x")}, r"through=x: must be an image"),
        ({"at": 300}, r"at=300: must be a whole number >= 0 and <= 299"),
        ({"dims": (1, 4)}, r"dims=\[1,4\]: must be 2 of the dimensions 0 to 3"),
        ({"dims": (1, 1)}, r"dims=\[1,1\]: must be 2"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_drawn(settings, message):
    with pytest.raises(ArgumentError, match=message):
        subject_of(settings=Settings(**settings))


def test_a_class_of_data_without_labels_is_refused():
    parts = assemble(compose_config(["data=gaussian", "likelihood=gaussian"]))
    with pytest.raises(ArgumentError, match="from=class:1: the data have no labels"):
        Subject(parts.model.eval(), parts.data, Settings(start="class:1"))


def test_other_dimensions_stay_at_the_prior_s_mean_or_at_an_image():
    assert subject_of().base.tolist() == [0.0] * 4
    subject = subject_of(settings=Settings(at=7))
    torch.testing.assert_close(subject.base, subject.posteriors.mean[7])
    assert subject.around == "others at image 7"


def test_the_two_most_used_dimensions_are_shown_in_their_own_order():
    subject = subject_of("model.latent_dim=6")
    assert subject.dims == sorted(subject.posteriors.by_use[:2])
    assert subject_of(settings=Settings(dims=(3, 0))).dims == [3, 0]


def test_pictures_are_mean_images_in_the_data_s_range():
    parts = assemble(compose_config(["data=gaussian", "likelihood=gaussian"]))
    subject = Subject(parts.model.eval(), parts.data)
    low, high = parts.data.value_range
    z = torch.zeros(2, 3, parts.model.latent_dim)
    shown = subject.decode(z)
    mean = subject.model.decode(z.flatten(0, 1)).detach()
    expected = ((mean - low) / (high - low) * 255).round().clamp(0, 255)
    assert shown.shape[:2] == (2, 3)
    assert abs(torch.from_numpy(shown[..., 0].astype("float32")).flatten() - expected.flatten()).max() <= 1


def test_a_decoder_that_reads_pixels_draws_few_samples_and_says_so():
    subject = subject_of("decoder=pixelcnn")
    assert subject.caption == "samples of p(x|z), drawn pixel by pixel"
    assert set(subject.decode(torch.zeros(1, 4)).flatten().tolist()) <= {0, 255}
    assert record(subject, 0, (0, 1)).pictures.shape[:2] == (4, 4)


def test_a_model_that_diverged_is_refused():
    subject = subject_of()
    next(subject.model.encoder.parameters()).data.fill_(float("nan"))
    with pytest.raises(ArgumentError, match="not finite: it diverged"):
        _ = subject.posteriors


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.latent_dim=1"],
        ["model.latent_dim=2"],
        ["model=delta_vae", "model.latent_dim=4"],
        ["model=delta_vae", "model.variant=independent", "model.latent_dim=3"],
        ["model=info_vae", "model.latent_dim=3"],
        ["model=bn_vae", "model.latent_dim=3"],
    ],
)
def test_every_figure_of_every_model(overrides, tmp_path):
    subject = subject_of(*overrides, settings=Settings(grid=3, steps=3, images=5))
    dims = subject.model.latent_dim
    subject.measured = Measured([1.0] * dims, [0.1] * dims, [5, 10], [[0.1] * dims, [0.2] * dims])
    subject.frames = tmp_path / "frames"
    for step in (0, 10):
        record(subject, step, tuple(range(min(dims, 2)))).write(subject.frames)
    files = {file.name for file in draw(subject, tmp_path, NAMES)}
    expected = {f"{name}.png" for name in NAMES.keys() - {"loop", "film", "pca"}}
    expected |= {"interpolation.gif", "axes.gif", "loop.gif", "film.gif"} | ({"pca.png"} if dims > 2 else set())
    assert files == expected
    assert all((tmp_path / file).stat().st_size > 500 for file in files)


def test_the_same_figure_is_drawn_again_bit_for_bit(tmp_path):
    for name in ("a", "b"):
        list(draw(subject_of(settings=Settings(images=4)), tmp_path / name, ["samples", "reconstructions"]))
    for file in ("samples.png", "reconstructions.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_dimension_is_named_by_the_factor_that_it_knows(tmp_path):
    data = Sprites(tmp_path)
    subject = subject_of("model.latent_dim=2", data=data)
    factors = data.splits["test"].factors
    codes = factors[:, [3, 5]].float()
    subject.posteriors = Posteriors(codes, codes, codes, factors=factors)
    assert subject.best_factor(0).startswith("x: MI 2.0")
    assert subject.best_factor(1).startswith("colour: MI 1.3")
    assert subject_of().best_factor(0) == "", "digits have no factors"
