"""Options that need packages which vae_lab itself does without: what to install for each."""

from importlib.util import find_spec

from vae_lab.checks import ConfigError

EXTRAS = {  # group and option: the extra, and the packages that it brings
    ("hydra/launcher", "ray"): ("ray", ("ray",)),
    ("hydra/launcher", "slurm"): ("slurm", ("hydra_plugins.hydra_submitit_launcher", "submitit")),
    ("hydra/sweeper", "optuna"): ("optuna", ("optuna",)),
}


def check_installed(group: str, option: str) -> None:
    """Refuse an option whose packages are not installed.

    Raises:
        ConfigError: with the command that installs them.
    """
    extra, packages = EXTRAS.get((group, option), ("", ()))
    if any(find_spec(package) is None for package in packages):
        raise ConfigError.setting(group, option, f'is not installed: pip install "vae_lab[{extra}]"')
