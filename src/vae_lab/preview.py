"""``python -m vae_lab.preview GROUP=OPTION ...``: what the coefficients of a run will do, without training it."""

import shlex
import sys
from collections.abc import Callable, Mapping
from typing import Any

from vae_lab.checks import ConfigError, integer
from vae_lab.config.compose import compose_config
from vae_lab.console import command, figure_option, save_figure

USAGE = """python -m vae_lab.preview [annealing=NAME ...] [free_bits=NAME ...] [optimizer.lr_decay=NAME]
                          [trainer.max_steps=N] [figure=FILE.png]

Prints and draws every coefficient that follows a schedule, over the steps of a run. The figure goes to schedule.png."""

ROWS = 20  # of the table
POINTS = 2000  # of the figure

Curve = Callable[[int], float]


def curves(config: Mapping[str, Any]) -> dict[str, Curve]:
    """The scheduled coefficients by the name under which a run logs them, and the learning rate.

    Raises:
        ConfigError: for whatever does not fit.
    """
    from vae_lab.callbacks import Scheduled
    from vae_lab.config.build import naming
    from vae_lab.elbo.schedules import make_decay
    from vae_lab.training.assembly import build_remedies

    remedies = build_remedies(config)
    found: dict[str, Curve] = {f"coef/{r.name}": r.value for r in remedies if isinstance(r, Scheduled)}
    optimizer = config["optimizer"]
    decay = optimizer.get("lr_decay", "none")
    with naming("optimizer"):
        schedule = make_decay(decay, config["trainer"]["max_steps"])
    if decay != "none":
        found["learning rate"] = lambda step: optimizer["lr"] * schedule(step)
    return found


def main() -> None:
    """The command."""
    file, overrides = figure_option(sys.argv[1:], "schedule.png")
    config = compose_config(overrides)
    steps = integer("trainer.max_steps", config["trainer"]["max_steps"])
    if config["epochs"] is not None:
        raise ConfigError(f"epochs={config['epochs']}: give trainer.max_steps, the data are not loaded here")
    found = curves(config)

    from vae_lab.report.table import Content, show

    every = max(steps // ROWS, 1)
    shown = [*range(0, steps, every), steps]
    show(Content(["step", *found], [[str(s), *(f"{c(s):.4g}" for c in found.values())] for s in shown], words=0).rich())
    if config["free_bits"].get("law") or config["control"]:
        print("a controller moves the weight by what it measures: it has no curve before training")
    grid = sorted({round(steps * i / POINTS) for i in range(POINTS + 1)})
    save_figure("schedule", file, grid, {name: [curve(step) for step in grid] for name, curve in found.items()})
    print(f"next: {shlex.join(['python', '-m', 'vae_lab', *overrides])}")


if __name__ == "__main__":
    command(main, USAGE)
