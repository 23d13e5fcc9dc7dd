"""Runs in one process leave nothing behind: memory and time stay what they are."""

from pathlib import Path
from statistics import median

import pytest

from vae_lab.config.compose import compose_config
from vae_lab.training.run import execute

STATUS = Path("/proc/self/status")
FIRST, LAST = 20, 200


def resident() -> int:
    """What this process holds, in kB."""
    return next(int(line.split()[1]) for line in STATUS.read_text().splitlines() if line.startswith("VmRSS"))


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="needs Linux's /proc")
def test_two_hundred_runs_leave_memory_flat(tmp_path):
    config = compose_config(["trainer.max_steps=10", "trainer.val_check_interval=5", "metrics.test.nll.k=2"])
    seconds, held = [], {}
    for number in range(1, LAST + 1):
        seconds.append(execute({**config, "seed": number}, tmp_path / str(number), {}).seconds)
        held[number] = resident()
    assert held[LAST] < 1.05 * held[FIRST]
    assert median(seconds[-50:]) < 1.5 * median(seconds[FIRST : FIRST + 50])
