"""``python -m vae_lab.list``: groups, options, experiments and swept names on one screen."""

from vae_lab.config.groups import CONF, groups
from vae_lab.console import command

USAGE = "python -m vae_lab.list: groups, options, experiments and swept names on one screen"

COMMANDS = ("diagnose", "theory", "preview", "evaluate", "report", "list")
SWEPT = {
    "model.beta": "β, the weight of the KL (model=beta_vae)",
    "free_bits.epsilon": "ε, nats that cost nothing (free_bits=dimension, sample or total)",
    "control.target": "the rate (control=pi) or distortion (control=geco) to hold, nats",
    "data.batch_size": "images per step",
    "model.latent_dim": "D, the latent's dimensions",
    "seed": "weights, order and noise; three seeds or more before you believe a difference",
    "trainer.max_steps": "length in optimizer steps",
    "optimizer.lr": "learning rate",
}


def heading(experiment: str) -> str:
    """The first comment of an experiment's file that says what is studied."""
    lines = (CONF / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    return next((line.lstrip("# ") for line in lines if line.startswith("# ") and "@package" not in line), "")


def main() -> None:
    """The command."""
    found = groups()
    experiments = found.pop("experiment", [])
    print("Groups (GROUP=OPTION; `python -m vae_lab GROUP=OPTION --cfg job` shows all settings)")
    for group, options in found.items():
        print(f"  {group:<11} {', '.join(options)}")
    print("\nExperiments (python -m vae_lab +experiment=NAME -m)")
    for experiment in experiments:
        print(f"  {experiment:<16} {heading(experiment)}")
    print("\nSwept names (KEY=VALUE,VALUE -m)")
    for key, meaning in SWEPT.items():
        print(f"  {key:<18} {meaning}")
    print("\nCommands (python -m ...; each answers --help)")
    print(f"  vae_lab, {', '.join(f'vae_lab.{name}' for name in COMMANDS)}")


if __name__ == "__main__":
    command(main, USAGE)
