"""The figures of an examined model: those of a run that say something of it."""

import logging
from importlib.util import find_spec
from pathlib import Path

from vae_lab.callbacks.figures import evaluating
from vae_lab.checks import one_line
from vae_lab.data import ImageData
from vae_lab.examination.model import Examined
from vae_lab.runs.result import Result

log = logging.getLogger(__name__)

BY_DIMENSION = ("manifold", "scatter", "traversals", "axes")  # of which a channel is none
DECODED = ("manifold", "traversals", "interpolation", "axes", "loop", "reconstructions", "samples")
OF_TRAINING = ("rates", "film")
MOST_DIMENSIONS = 512  # whose covariances are drawn


def names(model: Examined, picture: bool) -> list[str]:
    """The figures that there are of a model, by name."""
    from vae_lab.gallery import NAMES

    left_out = {*OF_TRAINING, *(BY_DIMENSION if model.latent.spatial else ())}
    left_out |= set() if picture and not model.autoregressive else set(DECODED)
    left_out |= {"pca", "scatter"} if model.latent.size > MOST_DIMENSIONS else set()
    return [name for name in NAMES if name not in left_out]


def draw_figures(model: Examined, data: ImageData, result: Result, picture: bool, folder: Path) -> None:
    """Draw them into a folder; one that cannot be drawn is a line in the log."""
    if not find_spec("matplotlib"):
        log.warning("no figures: matplotlib is not installed; pip install 'vae_lab[figures]'")
        return
    from vae_lab.gallery import Measured, Settings, Subject, draw

    gap, gap_se = (result.figures_by_dimension(f"shuffle_gap_dim{end}") for end in ("", "_se"))
    with evaluating(model):
        subject = Subject(model, data, Settings(), Measured(gap, gap_se))
        for name in names(model, picture):
            try:
                list(draw(subject, folder, [name]))
            except Exception as error:  # a person's decoder: a figure is never worth the report
                log.warning("figure %s is left out: %s", name, one_line(error))
