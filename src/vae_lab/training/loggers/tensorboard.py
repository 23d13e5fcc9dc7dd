"""TensorBoard."""

from collections.abc import Mapping
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import TensorBoardLogger
from typing_extensions import override

from vae_lab.checks import ArgumentError, did_you_mean
from vae_lab.training.loggers.mirror import CHARTS, FIGURES, Mirror

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]

FIXED = ("save_dir", "name", "version")  # where the files go


def as_summary(name: str, file: Path) -> "Summary":
    """A PNG or GIF file as TensorBoard keeps it: the file itself, so that a GIF moves and no film library is needed."""
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary

    with Image.open(file) as image:
        (width, height), channels = image.size, len(image.getbands())
    content = {"width": width, "height": height, "colorspace": channels, "encoded_image_string": file.read_bytes()}
    return Summary(value=[Summary.Value(tag=name, image=Summary.Image(**content))])


class TensorBoard(Mirror, TensorBoardLogger):
    """TensorBoard's event files in ``tensorboard/`` of the run directory, with titled charts under Custom Scalars.

    Raises:
        ValueError: when TensorBoard is not installed.
    """

    def __init__(self, directory: Path, name: str, group: str, config: Mapping[str, Any], **options: Any) -> None:
        self.check(**options)
        super().__init__(save_dir=directory, name="", version="tensorboard", **options)
        layout = {title: ["Multiline", list(curves)] for title, curves in CHARTS.items()}
        self.experiment.add_custom_scalars({"collapse": layout})

    @classmethod
    @override
    def check(cls, **settings: Any) -> None:
        if not find_spec("tensorboard"):
            raise ValueError("tensorboard is not installed; pip install 'vae_lab[tensorboard]'")
        from torch.utils.tensorboard import SummaryWriter

        takers = (TensorBoardLogger.__init__, SummaryWriter.__init__)
        known = {name for taker in takers for name in signature(taker).parameters} - {"self", "kwargs", *FIXED}
        for name in settings.keys() - known:
            raise ArgumentError(name, settings[name], f"no such setting{did_you_mean(name, known)}")

    @override
    def show_pictures(self, files: Mapping[str, Path], step: int) -> None:
        for name, file in files.items():
            self.experiment.file_writer.add_summary(as_summary(f"{FIGURES}/{name}", file), step)
