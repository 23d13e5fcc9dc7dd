"""What the thin commands share: ``python -m vae_lab.X key=value ...``, with one line for every mistake."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from vae_lab.checks import ArgumentError, did_you_mean


def read_options(arguments: list[str], defaults: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Read ``key=value`` arguments over ``defaults``, and the modules behind ``--allow``.

    Raises:
        ValueError: for an argument that is none of the known ones.
    """
    options, modules = dict(defaults), []
    pending = iter(arguments)
    for argument in pending:
        key, equals, value = argument.partition("=")
        if key == "--allow":
            modules.append(value or next(pending, ""))
        elif equals and key in options:
            options[key] = value
        else:
            known = ", ".join(f"{name}={default or '...'}" for name, default in defaults.items())
            raise ValueError(f"{argument}: no such option{did_you_mean(key, defaults)}; options: {known}")
    return options, modules


def figure_option(arguments: list[str], default: str) -> tuple[str, list[str]]:
    """The file behind ``figure=``, or ``default``, and the other arguments."""
    named = [argument.partition("=")[2] for argument in arguments if argument.startswith("figure=")]
    return (named or [default])[-1], [argument for argument in arguments if not argument.startswith("figure=")]


def save_figure(module: str, file: str, *drawn: Any) -> None:
    """Draw with ``vae_lab.figures.MODULE.draw`` into a file and say where, or why there is no figure.

    Raises:
        ValueError: when the file cannot be written.
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


def command(main: Callable[[], None], usage: str) -> None:
    """Run a command: ``--help`` prints its usage, a mistake of the person is one line and exit code 1."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(usage)
        return
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
