"""``python -m vae_lab.list``: groups, options, experiments and swept names on one screen."""

from collections.abc import Mapping
from pathlib import Path

from vae_lab.config.groups import CONF, groups
from vae_lab.console import CommandLine, command, read_options
from vae_lab.report.table import say

USAGE = """python -m vae_lab.list

Prints the groups and their options, the experiments, the settings that are worth sweeping, and the commands.
  --config-dir DIR  a folder of your own settings, listed too"""

COMMANDS = (
    *("diagnose", "probe", "cure", "examine", "theory", "preview"),
    *("evaluate", "latents", "export", "explore", "report", "dashboard", "list"),
)
SWEPT = {
    "model.beta": "β, the weight of the KL (model=beta_vae)",
    "free_bits.epsilon": "ε, nats that cost nothing (free_bits=dimension, sample or total)",
    "control.target": "the rate (control=pi) or distortion (control=geco) to hold, nats",
    "perceptual.lambd": "λ, nats per unit of a perceptual distance (perceptual=lite0)",
    "data.batch_size": "images per step",
    "model.latent_dim": "D, the number of latent dimensions",
    "seed": "weights, order and noise; take three or more before you believe a difference",
    "trainer.max_steps": "length of the run in optimizer steps",
    "optimizer.lr": "learning rate",
}


def heading(experiment: str, config_dir: Path | None) -> str:
    """The first comment of an experiment's file that says what is studied."""
    files = [folder / "experiment" / f"{experiment}.yaml" for folder in (CONF, config_dir) if folder]
    text = next(file for file in files if file.is_file()).read_text(encoding="utf-8")
    comments = (line for line in text.splitlines() if line.startswith("# ") and "@package" not in line)
    return next(comments, "").lstrip("# ")


def main(line: CommandLine) -> None:
    """The command."""
    read_options(line.overrides, {})
    found = groups(line.config_dir)
    experiments = found.pop("experiment", [])
    headings = {experiment: heading(experiment, line.config_dir) for experiment in experiments}
    section(
        "Groups (GROUP=OPTION; `python -m vae_lab GROUP=OPTION --cfg job` shows all settings)",
        {group: ", ".join(options) for group, options in found.items()},
    )
    section("\nExperiments (python -m vae_lab +experiment=NAME -m)", headings)
    section("\nSwept names (KEY=VALUE,VALUE -m)", SWEPT)
    print("\nCommands (python -m ..., each answers --help)")
    say([f"  {', '.join(['vae_lab', *(f'vae_lab.{name}' for name in COMMANDS)])}"], indent=2)


def section(title: str, entries: Mapping[str, str]) -> None:
    """A title, and below it a line for each name, with what there is to say of it in a column of its own."""
    print(title)
    place = max(map(len, entries), default=0) + 1
    say((f"  {name:<{place}}{words}" for name, words in entries.items()), indent=place + 2)


if __name__ == "__main__":
    command(main, USAGE)
