"""Errors, and argument checks with one voice: every message reads ``name=value: allowed``.

``build()`` puts the config path in front of the name, so that a user reads ``model.beta=-1: must be >= 0``.
"""

import inspect
import math
import signal
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

LARGEST = 3.4028234e38  # what float32 holds: numbers become coefficients of a model
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class ArgumentError(ValueError):
    """An argument that does not fit; the message reads ``argument=value: allowed``.

    Args:
        argument: its name.
        value: what was given.
        allowed: what would fit, in words.

    Example:
        >>> error = ArgumentError("beta", -1, "must be >= 0")
        >>> print(error)
        beta=-1: must be >= 0
        >>> error.argument, error.value
        ('beta', -1)
    """

    def __init__(self, argument: str, value: Any, allowed: str) -> None:
        super().__init__(argument, value, allowed)
        self.argument, self.value, self.allowed = argument, value, allowed

    def __str__(self) -> str:
        return f"{self.argument}={self.value}: {self.allowed}"


class ConfigError(ValueError):
    """A mistake in the configuration. Its message is the one line that the user sees.

    Args:
        message: that line.
        argument: the config key, where one is to blame.
        value: what it is set to.
        allowed: what would fit, in words.

    Example:
        >>> error = ConfigError.setting("data.batch_size", 0, "must be >= 1")
        >>> print(error)
        data.batch_size=0: must be >= 1
        >>> error.argument
        'data.batch_size'
    """

    def __init__(
        self, message: str, argument: str | None = None, value: Any = None, allowed: str | None = None
    ) -> None:
        super().__init__(message, argument, value, allowed)
        self.argument, self.value, self.allowed = argument, value, allowed

    def __str__(self) -> str:
        return str(self.args[0])

    @classmethod
    def setting(cls, key: str, value: Any, allowed: str) -> "ConfigError":
        """A setting that does not fit: ``data.batch_size=0: must be >= 1``."""
        return cls(f"{key}={value}: {allowed}", key, value, allowed)

    @classmethod
    def part(cls, key: str, problem: str) -> "ConfigError":
        """A whole part of the config, or a setting without a value: ``data.path: must be given``."""
        return cls(f"{key}: {problem}", key, allowed=problem)

    @classmethod
    def at(cls, key: str, error: ArgumentError) -> "ConfigError":
        """The mistake in the argument of a call, named by its path in the config: ``model.beta=-1: must be >= 0``."""
        return cls.setting(f"{key}.{error.argument}" if key else error.argument, error.value, error.allowed)


class RunFailed(RuntimeError):
    """A run failed; its reason is in its ``result.json``."""


class Interrupted(BaseException):
    """Ctrl-C, or another signal that asks to end. Lightning would answer a KeyboardInterrupt by leaving past Hydra.

    Args:
        words: which, as a record says it.
        number: of the signal.
    """

    def __init__(self, words: str = "by Ctrl-C", number: int = signal.SIGINT) -> None:
        super().__init__(words)
        self.number = int(number)


def number(name: str, value: Any, *, low: float = -math.inf, above: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` as a float when it is finite in float32, ``>= low``, ``> above`` and ``<= high``.

    Raises:
        ArgumentError: when it is not, naming the argument, its value and what is allowed.

    Example:
        >>> number("beta", 4, low=0)
        4.0
    """
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if real and abs(value) <= LARGEST and low <= value <= high and value > above:
        return float(value)
    if real and LARGEST < abs(value) < math.inf:
        raise ArgumentError(name, value, f"must lie within ±{LARGEST:.2g}, as float32 does")
    bounds = [f"{sign} {bound:g}" for sign, bound in ((">=", low), (">", above), ("<=", high)) if math.isfinite(bound)]
    raise ArgumentError(name, value, f"must be a finite number{' ' + ' and '.join(bounds) if bounds else ''}")


def integer(name: str, value: Any, *, low: int = 1, high: int | None = None) -> int:
    """Return ``value`` when it is a whole number ``>= low`` and, where that is given, ``<= high``.

    Raises:
        ArgumentError: when it is not, naming the argument, its value and what is allowed.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (value if high is None else high):
        return value
    bound = "" if high is None else f" and <= {high}"
    raise ArgumentError(name, value, f"must be a whole number >= {low}{bound}")


def flag(name: str, value: Any) -> bool:
    """Return ``value`` when it is true or false.

    Raises:
        ArgumentError: when it is not: ``off`` and ``no`` are words, and a word counts as true.
    """
    if isinstance(value, bool):
        return value
    raise ArgumentError(name, value, "must be true or false")


def sequence_length(steps: Any, latent_dim: int, high: int | None = None) -> int:
    """Return ``steps``, of a latent sequence of D = ``latent_dim``, when there are at least 2 and they divide D.

    Raises:
        ArgumentError: when they do not, or are more than ``high`` where that is given.
    """
    integer("steps", steps, low=2, high=high)
    if latent_dim % steps:
        raise ArgumentError("steps", steps, f"must divide latent_dim={latent_dim} (latent_dim = steps x channels)")
    return int(steps)


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return ``value`` when it is one of ``options``.

    Raises:
        ArgumentError: when it is not, naming the argument, its value, the options and the nearest one.

    Example:
        >>> choice("split", "tset", ["train", "val", "test"])
        Traceback (most recent call last):
        ...
        vae_lab.checks.ArgumentError: split=tset: must be one of train, val, test (did you mean test?)
    """
    options = list(options)
    if value in options:
        return str(value)
    raise ArgumentError(name, value, f"must be one of {', '.join(options)}{did_you_mean(value, options)}")


def keywords(target: type, given: Mapping[str, Any]) -> None:
    """Check that a class takes each of these arguments. A ``**`` in its ``__init__`` goes on to the next base class.

    Raises:
        ArgumentError: for the first one that no ``__init__`` takes.

    Example:
        >>> class Layer:
        ...     def __init__(self, width: int) -> None: ...
        >>> keywords(Layer, {"widht": 3})
        Traceback (most recent call last):
        ...
        vae_lab.checks.ArgumentError: widht=3: no such setting (did you mean width?)
    """
    names: list[str] = []
    for base in target.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        names += [parameter.name for parameter in parameters if parameter.kind not in VARIADIC]
        if all(parameter.kind != inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            break
    else:
        return  # the ** has no end: anything may be taken
    for name in (name for name in given if name not in names):
        raise ArgumentError(name, given[name], f"no such setting{did_you_mean(name, names)}")


def did_you_mean(word: Any, options: Iterable[str]) -> str:
    """Return ``" (did you mean X?)"`` for the option nearest to ``word``, or an empty string."""
    near = get_close_matches(str(word), list(options), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def one_line(error: BaseException) -> str:
    """Kind and first line of an exception; of one about a file, what the system says and which file it is."""
    if isinstance(error, OSError) and error.strerror:
        file = error.filename2 or error.filename
        return f"{error.strerror}: {file}" if file else error.strerror
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def printable(text: str) -> str:
    r"""The text with every character that would move a cursor or turn the direction of writing escaped.

    Example:
        >>> printable("β\x1b[2J")
        'β\\x1b[2J'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
