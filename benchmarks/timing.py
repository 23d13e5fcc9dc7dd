"""What the benchmarks share: CPU time, medians of repetitions in turn, and a table that is kept as JSON."""

import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"


def cpu(call: Callable[[], Any]) -> float:
    """CPU seconds of this process that a call takes."""
    began = time.process_time()
    call()
    return time.process_time() - began


def children_cpu() -> float:
    """CPU seconds of all child processes that have ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_turn(calls: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure A B A B ...: what else the machine does falls on all alike. Returns the seconds of each, by round."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(call())
    return taken


def ratio(taken: Mapping[str, Sequence[float]], name: str, base: str) -> float:
    """How many times as long ``name`` takes as ``base``: the ratio of the medians."""
    return median(taken[name]) / median(taken[base])


def machine() -> dict[str, Any]:
    """What was measured on, and when."""
    import torch

    names = [line.partition(":")[2].strip() for line in cpu_lines() if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": names[0] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_lines() -> list[str]:
    """What Linux says of the processor."""
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def report(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of ``what``, ``measured``, ``goal``, if there is one, and ``note``; keep them with the machine."""
    print(f"{'':<52}{'measured':>10}{'goal':>8}")
    for row in rows:
        goal = "" if row.get("goal") is None else f"{row['goal']:g}"
        print(f"{row['what']:<52}{row['measured']:>10.2f}{goal:>8}  {row.get('note', '')}".rstrip())
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps({"machine": machine(), "rows": list(rows)}, indent=1) + "\n")
    print(f"written: {file}")
