"""The places of one machine where jobs run: which devices each holds, and its share of the CPU."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vae_lab.checks import ArgumentError, integer

VISIBLE = "CUDA_VISIBLE_DEVICES"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
ASK_DRIVER = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time.

    Args:
        devices: the GPUs that it holds, as ``CUDA_VISIBLE_DEVICES`` names them; none for a share of the CPU.
        threads: its share of the CPU's threads.

    Example:
        >>> Slot(("1",), threads=4).environment["CUDA_VISIBLE_DEVICES"]
        '1'
    """

    devices: tuple[str, ...] = ()
    threads: int = 1

    @property
    def environment(self) -> dict[str, str]:
        """What its process must find set before torch starts. Without GPUs it sees none."""
        return {VISIBLE: ",".join(self.devices), **dict.fromkeys(THREADS, str(self.threads))}


@dataclass(frozen=True)
class Places:
    """How a person divides a machine.

    Args:
        devices: which GPUs, or how many of them; without GPUs, how many CPU workers. None: all GPUs, or a CPU worker a
            core.
        jobs_per_device: how many jobs share a GPU; without GPUs, a CPU worker.
        devices_per_job: how many GPUs each job has.

    Raises:
        ArgumentError: for numbers that cannot be.
    """

    devices: int | Sequence[int | str] | None = None
    jobs_per_device: int = 1
    devices_per_job: int = 1

    def __post_init__(self) -> None:
        integer("jobs_per_device", self.jobs_per_device)
        integer("devices_per_job", self.devices_per_job)
        if self.devices_per_job > 1 and self.jobs_per_device > 1:
            raise ArgumentError("jobs_per_device", self.jobs_per_device, "must be 1 where a job has several devices")


ALL = Places()


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Args:
        gpus: as ``CUDA_VISIBLE_DEVICES`` names them.
        cores: that this process may use.

    Example:
        >>> [slot.devices for slot in Machine(gpus=("0", "1"), cores=8).slots(jobs=5)]
        [('0',), ('1',)]
        >>> [slot.threads for slot in Machine(cores=4).slots(jobs=2)]
        [2, 2]
    """

    gpus: tuple[str, ...] = ()
    cores: int = field(default_factory=lambda: len(usable_cores()))

    @classmethod
    def this(cls, accelerator: str = "auto") -> "Machine":
        """The machine that asks, without its GPUs where the trainer's ``accelerator`` leaves them alone."""
        return cls(gpus=visible_gpus(os.environ) if accelerator in ("auto", "gpu", "cuda") else ())

    def slots(self, jobs: int, places: Places = ALL) -> list[Slot]:
        """The slots for this many jobs, never more than there are jobs.

        Raises:
            ArgumentError: for GPUs that are not there.
        """
        held = self.held(places.devices, places.devices_per_job)
        chosen = [place for _ in range(places.jobs_per_device) for place in held][:jobs]
        return [Slot(place, max(self.cores // len(chosen), 1)) for place in chosen]

    def held(self, devices: int | Sequence[int | str] | None, each: int) -> list[tuple[str, ...]]:
        """The GPUs of each slot, ``each`` of them together; empty ones for CPU workers.

        Raises:
            ArgumentError: for GPUs that are not there.
        """
        if not self.gpus:
            if isinstance(devices, Sequence) or each > 1:
                name, value = ("devices", devices) if isinstance(devices, Sequence) else ("devices_per_job", each)
                raise ArgumentError(name, value, "no GPU was found on this machine")
            return [()] * (self.cores if devices is None else integer("devices", devices))
        chosen = self.chosen(devices)
        if len(chosen) < each:
            raise ArgumentError("devices_per_job", each, f"there are {len(chosen)} devices")
        return [tuple(chosen[i : i + each]) for i in range(0, len(chosen) - each + 1, each)]

    def chosen(self, devices: int | Sequence[int | str] | None) -> Sequence[str]:
        """The GPUs that ``devices`` names or counts; all for None.

        Raises:
            ArgumentError: for what is not there.
        """
        if devices is None:
            return self.gpus
        if isinstance(devices, Sequence) and not isinstance(devices, str):
            names = [str(device) for device in devices]
            if not names or not set(names) <= set(self.gpus) or len(set(names)) < len(names):
                raise ArgumentError("devices", devices, f"must be some of {', '.join(self.gpus)}, each once")
            return names
        return self.gpus[: integer("devices", devices, high=len(self.gpus))]


def usable_cores() -> Sequence[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def visible_gpus(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The GPUs that the environment leaves visible; else all that the driver knows, asked without torch."""
    if VISIBLE in environment:
        return tuple(filter(None, (name.strip() for name in environment[VISIBLE].split(","))))
    if shutil.which(ASK_DRIVER[0]) is None:
        return ()
    asked = subprocess.run(ASK_DRIVER, capture_output=True, text=True, timeout=60, check=False)
    return tuple(asked.stdout.split()) if asked.returncode == 0 else ()
