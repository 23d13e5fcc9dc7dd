"""``python -m vae_lab.dashboard project=NAME``: a workspace of Weights & Biases whose panels compare a sweep's runs."""

import shlex
from importlib.util import find_spec
from pathlib import Path

from vae_lab.checks import ArgumentError, ConfigError, one_line
from vae_lab.console import CommandLine, command, read_options

USAGE = """python -m vae_lab.dashboard project=NAME [entity=TEAM] [dry_run=true] [file=workspace.json]

Saves a workspace with panels in your wandb project: KL curves by β and by ε, distortion, mutual information, the
rate-distortion plane, the table of runs. It shows the runs that logger=wandb has brought there.
  entity   the user or team that owns the project; left out, your own
  dry_run  writes the workspace into a file, with no account and no network"""

OPTIONS = {"project": "", "entity": "", "dry_run": "false", "file": "workspace.json"}
TRUTH = {"true": True, "false": False}


def read(overrides: list[str]) -> dict[str, str]:
    """The options.

    Raises:
        ConfigError, ArgumentError: for one that does not fit.
    """
    options = read_options(overrides, OPTIONS)
    if not options["project"]:
        raise ConfigError.part("project", "must be given, the name of a wandb project")
    if options["dry_run"] not in TRUTH:
        raise ArgumentError("dry_run", options["dry_run"], "must be true or false")
    return options


def write(project: str, entity: str, file: Path) -> None:
    """Write the specification and say what it holds.

    Raises:
        ArgumentError: when the file cannot be written.
    """
    from vae_lab.report.workspace import panels, specification, workspace

    space = workspace(project, entity)
    try:
        file.write_text(specification(space), encoding="utf-8")
    except OSError as error:
        raise ArgumentError("file", file, f"cannot be written ({one_line(error)})") from error
    print(*panels(space), sep="\n")
    print(f"workspace: {file.absolute()}")


def save(project: str, entity: str) -> str:
    """Save the workspace in the project; returns its address.

    Raises:
        ConfigError: without an account, and when the server refuses or does not answer.
    """
    from vae_lab.report.workspace import workspace
    from vae_lab.training.loggers.wandb import has_account

    if not has_account():
        raise ConfigError("no account: run wandb login first, or set WANDB_API_KEY; dry_run=true needs none")
    import wandb

    try:
        space = workspace(project, entity or str(wandb.Api().default_entity))
        space.save()  # type: ignore[no-untyped-call]
        return str(space.url)
    except Exception as error:  # whatever a service may raise
        raise ConfigError.setting("project", project, f"wandb cannot save the workspace ({one_line(error)})") from error


def main(line: CommandLine) -> None:
    """The command.

    Raises:
        ConfigError: when wandb-workspaces is not installed.
    """
    options = read(line.overrides)
    if not find_spec("wandb_workspaces"):
        raise ConfigError("wandb-workspaces is not installed; pip install 'vae_lab[workspaces]'")
    project, entity = options["project"], options["entity"]
    if TRUTH[options["dry_run"]]:
        write(project, entity, Path(options["file"]))
        told = [f"{name}={options[name]}" for name in ("project", "entity") if options[name]]
        print(f"next: {shlex.join(['python', '-m', 'vae_lab.dashboard', *told])}")
    else:
        print(f"workspace: {save(project, entity)}")


if __name__ == "__main__":
    command(main, USAGE)
