"""The figures of a latent space: arrays in, figure out."""

import numpy as np
import pytest
from PIL import Image

from vae_lab.figures import line, manifold, pairs, rates, scatter, strips, traversals
from vae_lab.figures.animation import journey, rendered, write_gif
from vae_lab.figures.film import draw, film
from vae_lab.figures.frames import Frame, frames
from vae_lab.figures.traversals import Row

RNG = np.random.default_rng(0)


def pictures(*shape):
    return RNG.integers(0, 255, (*shape, 8, 8, 3), dtype=np.uint8)


def texts(figure):
    """All that is written in a figure."""
    figure.draw_without_rendering()
    return " | ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_manifold_names_its_axes_and_values():
    found = texts(manifold.draw(pictures(5, 3), [-2, 0, 2], [-1.5, -1, 0, 1, 1.5], ["z0", "z1"], "mean images"))
    for words in ("z0", "z1", "mean images", "-2", "1.5"):
        assert words in found


def test_the_uppermost_row_of_the_manifold_has_the_largest_value():
    figure = manifold.draw(pictures(3, 3), [0, 1, 2], [10, 20, 30], ["a", "b"], "")
    figure.draw_without_rendering()
    places = dict(
        zip((t.get_text() for t in figure.axes[0].get_yticklabels()), figure.axes[0].get_yticks(), strict=True)
    )
    assert places["30"] < places["20"] < places["10"], "row 0 of an image is at the top"


def test_a_traversal_says_rate_gap_and_what_is_unused():
    rows = [Row(7, 3.214, 12.41, True), Row(0, 0.001, 0.002, False), Row(2, 0.0)]
    figure = traversals.draw(pictures(3, 5), [-2, -1, 0, 1, 2], rows, "")
    found = texts(figure)
    assert "$z_{7}$   KL 3.21  shuffle gap 12.4" in found
    assert "shuffle gap 0.00\nunused" in found
    assert "$z_{2}$   KL 0.00 |" in found
    colours = [label.get_color() for label in figure.axes[0].get_yticklabels()]
    assert len(set(colours)) == 3


def test_a_row_of_a_traversal_names_its_factor_unless_it_is_unused():
    assert str(Row(1, 2.0, 3.0, True, "x: MI 1.20 of 2.08")).endswith("3.0\nx: MI 1.20 of 2.08")
    assert "MI" not in str(Row(1, 2.0, 0.0, False, "x: MI 0.02 of 2.08"))


def test_the_scatter_draws_images_ellipses_and_contours():
    points, labels = RNG.normal(size=(60, 2)) * 5, np.arange(60) % 3
    points[labels == 1] += 30
    figure = scatter.draw(points, labels, ([0, 5], [np.eye(2)] * 2), (np.zeros(2), np.eye(2)), ("a", "b"), "t")
    axes = figure.axes[0]
    dots, ellipses = axes.collections
    assert len(dots.get_offsets()) == 60
    assert len(ellipses.get_segments()) == 2
    assert len(axes.lines) == 3
    radius = np.linalg.norm(ellipses.get_segments()[0] - points[0], axis=1)
    np.testing.assert_allclose(radius, 1)
    assert len(np.unique(dots.get_facecolors(), axis=0)) == 3


def test_classes_that_lie_over_each_other_are_named_in_a_legend():
    args = ([0], [np.eye(2)]), (np.zeros(2), np.eye(2)), ("a", "b"), "t"
    mixed = scatter.draw(RNG.normal(size=(60, 2)), np.arange(60) % 3, *args)
    assert [text.get_text() for text in mixed.axes[0].get_legend().get_texts()] == ["0", "1", "2"]
    apart = np.repeat(np.eye(2) * 9, 30, axis=0) + RNG.normal(size=(60, 2))
    assert scatter.draw(apart, np.repeat([0, 1], 30), *args).axes[0].get_legend() is None


def test_data_without_labels_have_one_colour_and_many_classes_a_scale():
    assert len(np.unique(scatter.colours_of(None, 9), axis=0)) == 1
    assert len(np.unique(scatter.colours_of(np.arange(30), 30), axis=0)) == 30


def test_a_line_shows_means_prior_and_rates():
    figure = line.draw(RNG.normal(size=50), RNG.random(50), np.arange(50) % 2, "z0", "t")
    found = texts(figure)
    assert "prior" in found and "KL (rate), nats per image" in found


def test_strips_name_their_rows_and_show_both_ends():
    figure = strips.draw({"lerp": pictures(5), "slerp": pictures(5)}, "t", tuple(pictures(2)))
    found = texts(figure)
    assert all(word in found for word in ("lerp", "slerp", "from", "to"))
    assert len(figure.axes) == 3
    assert len(strips.draw({"loop": pictures(5)}, "t").axes) == 1


def test_pairs_stand_side_by_side():
    assert [axes.get_title() for axes in pairs.draw({"a": pictures(2, 3), "b": pictures(2, 3)}, "t").axes] == ["a", "b"]


@pytest.mark.parametrize("steps", [[5], [0, 10, 30]])
def test_the_heat_map_has_the_dimension_that_ends_highest_on_top(steps):
    values = np.zeros((len(steps), 3))
    values[:, 0] = 3.0
    values[-1] = [0.1, 0.2, 2.0]
    figure = rates.draw(steps, values)
    assert "nats per image" in texts(figure)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["$z_{2}$", "$z_{1}$", "$z_{0}$"]


def frame(step, rate, dims=(0, 1), count=40):
    up = np.linspace(-1, 1, 3) if len(dims) == 2 else np.zeros(0)
    shown = pictures(3 if len(dims) == 2 else 1, 3)
    points = rate * RNG.normal(size=(count, 2))
    return Frame(
        step, 0.5, dims, shown, np.linspace(-1, 1, 3), up, abs(points), np.arange(count) % 10, np.full(3, rate)
    )


def test_frames_come_back_from_their_files_in_order(tmp_path):
    for step in (1000, 20, 3):
        frame(step, 1.0).write(tmp_path)
    (tmp_path / "step-00000500.npz").write_bytes(b"PK cut off")
    found = frames(tmp_path)
    assert [f.step for f in found] == [3, 20, 1000]
    assert found[0].dims == (0, 1) and found[0].kl_weight == 0.5
    assert found[0].pictures.dtype == np.uint8


@pytest.mark.parametrize("dims", [(0, 1), (2,)])
def test_axes_stay_over_the_film_and_the_curves_grow(dims):
    told = [frame(step, rate, dims) for step, rate in ((0, 0.1), (10, 2.0), (20, 0.01))]
    limits, lengths, words = set(), [], []
    for figure in film(told):
        limits.add(str([(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes]))
        lengths.append(len(figure.axes[2].lines[0].get_xdata()))
        words.append(figure.get_suptitle())
    assert len(limits) == 1
    assert lengths == [1, 2, 3]
    assert words[1] == "step 10    KL weight 0.50    KL (rate) 6.00 nats"
    assert "posterior collapse" in words[2] and "collapse" not in words[0]


def test_the_last_frame_needs_the_pictures_of_no_other():
    told = [frame(0, 1.0), frame(10, 1.0)]
    told[0] = Frame(*(told[0].pictures[:0] if name == "pictures" else value for name, value in vars(told[0]).items()))
    assert draw(told).get_suptitle().startswith("step 10 ")


def test_a_journey_goes_there_and_back_and_a_closed_way_round(tmp_path):
    there = [
        rendered(figure) for figure in journey({"lerp": pictures(4), "slerp": pictures(4)}, "t", tuple(pictures(2)))
    ]
    assert len(there) == 6
    assert len(list(journey({"loop": pictures(4)}, "t"))) == 4
    write_gif(there, tmp_path / "a.gif", 50)
    with Image.open(tmp_path / "a.gif") as found:
        assert found.n_frames == 6
        assert found.size == there[0].size
        assert found.info["loop"] == 0
