"""``python -m vae_lab.preview GROUP=OPTION ...``: what the coefficients of a run will do, without training it."""

import shlex

from vae_lab.checks import ConfigError, integer
from vae_lab.config.compose import compose_config
from vae_lab.console import CommandLine, command, figure_option, save_figure

USAGE = """python -m vae_lab.preview [annealing=NAME ...] [free_bits=NAME ...] [optimizer.lr_decay=NAME]
                          [trainer.max_steps=N] [figure=FILE.png]

Prints and draws each coefficient that follows a schedule, from the first step of a run to its last.
The figure goes to schedule.png.
  --config-dir DIR  a folder of your own settings
  --allow MODULE    a module of your own that may be used; repeat it for more"""

ROWS = 20  # of the table
POINTS = 2000  # of the figure


def main(line: CommandLine) -> None:
    """The command."""
    file, overrides = figure_option(line.overrides, "schedule.png")
    config = compose_config(overrides, line.config_dir)
    steps = integer("trainer.max_steps", config["trainer"]["max_steps"])
    if config["epochs"] is not None:
        raise ConfigError.setting("epochs", config["epochs"], "give trainer.max_steps, the data are not loaded here")

    from vae_lab.report.table import Content, show
    from vae_lab.training.coefficients import curves

    found = curves(config)
    every = max(steps // ROWS, 1)
    shown = [*range(0, steps, every), steps]
    show(Content(["step", *found], [[str(s), *(f"{c(s):.4g}" for c in found.values())] for s in shown], words=0).rich())
    if config["free_bits"].get("law") or config["control"]:
        print("a controller moves the weight by what it measures: it has no curve before training")
    grid = sorted({round(steps * i / POINTS) for i in range(POINTS + 1)})
    save_figure("schedule", file, grid, {name: [curve(step) for step in grid] for name, curve in found.items()})
    print(f"next: {shlex.join(['python', '-m', 'vae_lab', *line.shared, *overrides])}")


if __name__ == "__main__":
    command(main, USAGE)
