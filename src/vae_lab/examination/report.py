"""The report of an examination: a run's record, in words and as a run directory."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from vae_lab.data import ImageData
from vae_lab.diagnosis.causes import Cause
from vae_lab.examination.behind import undisturbed
from vae_lab.examination.form import Form
from vae_lab.examination.model import Examined
from vae_lab.examination.pictures import draw_figures
from vae_lab.files import put_whole
from vae_lab.report.comparison import runs_content
from vae_lab.report.diagnosis import conclusion, own_code
from vae_lab.report.figures import rounded
from vae_lab.report.page.write import write_page
from vae_lab.report.table import text_of, words_table
from vae_lab.report.words import sentences
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.runs.sweep import Sweep

TEXT = "report.txt"
FOLDER = "figures"
OF_RUNS = ("seconds", "collapse")  # the last columns of a run's table: what they say stands below
WIDTH = 110  # columns of a note
MOST = 16  # rates that are listed


@dataclass(frozen=True)
class Report:
    """What ``examine`` found.

    ``print`` it, or ask it: ``verdict`` is ``none``, ``partial`` or ``full`` collapse, ``cause`` the cause of one,
    ``advice`` the lines to change, ``figures`` all figures by name, ``result`` the record of a run.
    """

    result: Result
    model: Examined
    data: ImageData
    form: Form
    picture: bool
    networks: nn.ModuleList

    @property
    def run(self) -> Run:
        """The record as a run."""
        return Run(Path(), self.result)

    @property
    def figures(self) -> dict[str, Any]:
        """All figures by name, such as ``elbo``, ``rate_dim``, ``shuffle_gap``; nats per example."""
        return {name.removeprefix("test/"): value for name, value in self.result.metrics.items()}

    @property
    def verdict(self) -> str | None:
        """How much of z the decoder leaves unused: ``none``, ``partial`` or ``full``."""
        return self.result.verdict

    @property
    def cause(self) -> Cause | None:
        """The cause of a collapse; None where there is none."""
        return self.run.cause

    @property
    def advice(self) -> list[str]:
        """What to change in one's own code, a line each; empty where nothing is."""
        return self.result.examination.advice if self.result.examination else []

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """The report, a line or a table each."""
        run, examination, diagnosis = self.run, self.result.examination, self.run.diagnosis
        assert examination is not None
        assert diagnosis is not None
        yield self.heading()
        yield from (textwrap.fill(f"note: {note}", WIDTH, subsequent_indent="  ") for note in examination.notes)
        table = runs_content([run], [])
        yield text_of(table.only(set(range(len(table.headings) - len(OF_RUNS)))).rich())
        if (nll := self.result.figure("nll")) is not None:
            yield f"importance-weighted NLL (K = {self.result.importance_samples}) {rounded(nll)} nats per example"
        yield f"KL of each {'channel' if self.model.latent.spatial else 'dimension'}: {self.rates()}"
        yield ""
        yield from sentences([run], [])
        yield text_of(words_table(diagnosis.checks))
        yield from conclusion(diagnosis.cause)
        yield from own_code(examination.advice)

    def heading(self) -> str:
        """What was examined."""
        splits, latent, objective = self.data.splits, self.model.latent, self.result.objective
        assert objective is not None
        shape = " × ".join(map(str, self.form.shape))
        size = " × ".join(map(str, latent.shape)) if latent.spatial else f"of {latent.size} dimensions"
        parts = [
            f"{len(splits['test'].images):,} examples ({shape})",
            f"z {size}" + (f" in {latent.units} channels" if latent.spatial else ""),
            f"{objective.likelihood} likelihood",
            f"β = {objective.rate_weight:.4g}",
            *(["distortion averaged over the example"] if objective.distortion_reduction == "mean" else []),
        ]
        return f"{self.result.overrides['examined']}: {'; '.join(parts)}"

    def rates(self) -> str:
        """The rates of the units, the highest first."""
        found = sorted(self.result.figures_by_dimension("rate_dim"), reverse=True)
        return " ".join(map(rounded, found[:MOST])) + (f" ... ({len(found)} in all)" if len(found) > MOST else "")

    def save(self, folder: str | Path, figures: bool = True) -> Path:
        """Leave what a run leaves: ``result.json``, figures, page, and this report as text.

        ``python -m vae_lab.diagnose run=FOLDER`` reads it; ``python -m vae_lab.report sweep=PARENT`` compares several.

        Args:
            folder: where; made where it is not there yet.
            figures: whether to draw, which takes some seconds.

        Returns:
            The folder.

        Raises:
            OSError: when it cannot be written.
        """
        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        self.result.write(place)
        put_whole(place / TEXT, f"{self}\n".encode())
        if figures:
            with undisturbed(self.networks):
                draw_figures(self.model, self.data, self.result, self.picture, place / FOLDER)
        write_page(Sweep(place, None, [Run(place, self.result)]), place)
        return place
