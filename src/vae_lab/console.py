"""What the commands share: how a command line is read, and where a figure goes."""

import itertools
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from typing_extensions import override

from vae_lab.checks import ArgumentError, ConfigError, did_you_mean, integer
from vae_lab.config.build import allowing
from vae_lab.config.names import key_and_text, with_plus
from vae_lab.config.options import options
from vae_lab.endings import endings

CONFIG_DIR = ("--config-dir", "-cd")
FLAGS_WITH_VALUE = (
    *CONFIG_DIR,
    *("--config-path", "-cp", "--config-name", "-cn", "--cfg", "-c", "--package", "-p", "--experimental-rerun"),
)


@dataclass(frozen=True)
class CommandLine:
    """What a person typed, sorted."""

    modules: list[str]  # behind --allow
    config_dir: Path | None  # behind --config-dir
    flags: list[str]  # the other flags, which are Hydra's, each with its value
    overrides: list[str]  # KEY=VALUE

    @property
    def shared(self) -> list[str]:
        """The options that every command takes, to be repeated in the command that is proposed next."""
        return options(self.modules, self.config_dir)


def read_command_line(arguments: Sequence[str]) -> CommandLine:
    """Sort a command line.

    Hydra wants all overrides side by side; people write them on both sides of ``-m``. ``experiment=x`` is read as
    ``+experiment=x``, ``case=x`` as ``+case=x``. An experiment comes first, so that a case or remedy refines it.

    Raises:
        ConfigError: when there is no module name behind ``--allow``, or no folder behind ``--config-dir``.

    Example:
        >>> line = read_command_line(["seed=0,1", "-m", "experiment=smoke", "--allow", "my_nets"])
        >>> line.overrides, line.flags, line.modules
        (['+experiment=smoke', 'seed=0,1'], ['-m'], ['my_nets'])
    """
    modules: list[str] = []
    folders: list[str] = []
    flags: list[str] = []
    overrides: list[str] = []
    pending = iter(arguments)
    for argument in pending:
        flag, equals, value = argument.partition("=")
        if flag == "--allow":
            modules.append(value if equals else next(pending, ""))
        elif flag in CONFIG_DIR:
            folders.append(value if equals else next(pending, ""))
        elif flag.startswith("-"):
            flags += [argument, *itertools.islice(pending, int(argument in FLAGS_WITH_VALUE))]
        else:
            overrides.append(with_plus(argument))
    for name in modules:
        if not name.replace(".", "").isidentifier():
            raise ConfigError.setting("--allow", name, "must be the name of a Python module")
    for folder in folders:
        if not Path(folder).is_dir() or not folder:
            raise ConfigError.setting("--config-dir", folder, "no such folder")
    overrides.sort(key=lambda override: not override.startswith("+experiment="))
    return CommandLine(modules, Path(folders[-1]) if folders else None, flags, overrides)


class Flags(ArgumentParser):
    """Hydra's flags that go with vae_lab; the others would read configs, or pickles, past its checks."""

    def __init__(self) -> None:
        super().__init__(add_help=False, allow_abbrev=False)
        for names in (["--help", "-h"], ["--hydra-help"], ["--version"], ["--resolve"], ["--run", "-r"]):
            self.add_argument(*names, action="store_true")
        self.add_argument("--multirun", "-m", action="store_true")
        self.add_argument("--shell-completion", "-sc", action="store_true")
        self.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
        self.add_argument("--package", "-p")
        self.add_argument("--info", "-i", nargs="?", const="all")

    @override
    def error(self, message: str) -> NoReturn:
        """Raise it.

        Raises:
            ConfigError: with the parser's own message.
        """
        raise ConfigError(f"{message}; --help and --hydra-help list what there is")


def read_options(overrides: Sequence[str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` arguments over ``defaults``.

    Raises:
        ConfigError: for an argument that is none of the known ones.
    """
    options = dict(defaults)
    for argument in overrides:
        key, equals, value = argument.partition("=")
        if not equals or key not in options:
            known = ", ".join(f"{name}={default or '...'}" for name, default in defaults.items())
            raise ConfigError.part(argument, f"no such option{did_you_mean(key, defaults)}; options: {known}")
        options[key] = value
    return options


def whole_number(name: str, text: str, low: int = 0, high: int | None = None) -> int:
    """The whole number that an option gives.

    Raises:
        ArgumentError: when it gives none, or one outside ``low`` to ``high``.

    Example:
        >>> whole_number("port", "8123", high=65535)
        8123
    """
    return integer(name, int(text) if text.isdecimal() else text, low=low, high=high)


def figure_option(overrides: Sequence[str], default: str) -> tuple[str, list[str]]:
    """The file behind ``figure=``, or ``default``, and the other arguments."""
    files = [text for key, text in map(key_and_text, overrides) if key == "figure"]
    return [default, *files][-1], [override for override in overrides if key_and_text(override)[0] != "figure"]


def save_figure(module: str, file: str, *drawn: Any) -> None:
    """Draw with ``vae_lab.figures.MODULE.draw`` into a file and say where, or why there is no figure.

    Raises:
        ArgumentError: when the file cannot be written.
    """
    try:
        figure = import_module(f"vae_lab.figures.{module}").draw(*drawn)
    except ModuleNotFoundError:
        print("no figure: matplotlib is not installed; pip install 'vae_lab[figures]'")
        return
    try:
        figure.savefig(file)
    except (OSError, ValueError) as error:
        raise ArgumentError("figure", file, f"cannot be written ({error})") from error
    print(f"figure: {Path(file).absolute()}")


def command(main: Callable[[CommandLine], None], usage: str) -> None:
    """Run a command: ``--help`` prints its usage, modules behind ``--allow`` are allowed while it runs."""
    with endings():
        if {"-h", "--help"} & set(sys.argv[1:]):
            print(usage)
            return
        line = read_command_line(sys.argv[1:])
        if line.flags:
            raise ConfigError.part(line.flags[0], "no such flag; --help lists what there is")
        with allowing(line.modules):
            main(line)
