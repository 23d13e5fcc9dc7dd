"""``probe.json``: what training a collapsed run again by continuation has shown, beside the run's own record."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vae_lab.diagnosis.continuation import Continuation, Start
from vae_lab.runs.names import PROBE
from vae_lab.runs.records import Record, RecordError, read_record, write_record
from vae_lab.runs.result import Kind


@dataclass(frozen=True, kw_only=True)
class Probe(Record):
    """The record of a probe: for each seed, how its continuation ended. Losses in nats per image.

    ``steps`` are those of the run when it was probed: of a run that went on, the probe says nothing any more.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> probe = Probe(steps=1500, first="beta", loss=27.2, seeds=[0], losses=[27.3], verdicts=["full"],
        ...               halfway=[2.1], change={"annealing": "exponential"})
        >>> with TemporaryDirectory() as directory:
        ...     probe.write(Path(directory))
        ...     Probe.read(Path(directory)) == probe
        True
        >>> probe.continuation.outcome
        'asked for'
    """

    steps: int
    first: Start
    loss: float
    seeds: list[int]
    losses: list[float]
    verdicts: list[Kind]
    halfway: list[float]
    change: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, run: Path) -> "Probe":
        """The probe of a run directory.

        Raises:
            RecordError: when it is missing, broken, or of another format.
        """
        probe = read_record(run / PROBE, cls)
        if len({len(probe.seeds), len(probe.losses), len(probe.verdicts), len(probe.halfway)}) > 1:
            raise RecordError(f"{PROBE} has lists of different lengths")
        return probe

    def write(self, run: Path) -> None:
        """Put it into the run directory, in the place of the one before."""
        write_record(run / PROBE, self)

    @property
    def continuation(self) -> Continuation:
        """It as evidence."""
        names = ("first", "loss", "losses", "verdicts", "halfway", "change")
        return Continuation(**{name: getattr(self, name) for name in names})


def probe_of(run: Path, steps: int) -> Probe | None:
    """The probe of a run of so many steps; None where there is none.

    Raises:
        RecordError: when it cannot be read.
    """
    probe = Probe.read(run) if (run / PROBE).is_file() else None
    return probe if probe is not None and probe.steps == steps else None
