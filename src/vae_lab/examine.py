"""``python -m vae_lab.examine model=MODULE:NAME data=FILE``: any trained VAE, from the shell.

From Python it is the function ``vae_lab.examine``, which lies in ``vae_lab.examination.examine``.
"""

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

from vae_lab.checks import ArgumentError, ConfigError, one_line
from vae_lab.config.build import added_modules, lies_under
from vae_lab.console import CommandLine, command, read_options, whole_number

USAGE = """python -m vae_lab.examine model=MODULE:NAME data=FILE --allow MODULE [option=VALUE ...] [save=DIR]

Says of any trained VAE how far its posterior collapsed, why, and which line of your own code to change.
  model       MODULE:NAME, a function of yours without arguments that gives the trained model: one with the methods
              encode and decode, a model of pythae or diffusers, or a dict of arguments of vae_lab.examine
  data        an .npz or .npy file, or a folder of .npy files: images (N,H,W) or (N,H,W,C), or x_train and x_test
  likelihood  bernoulli, continuous_bernoulli, gaussian (with variance=1) or laplace
  output      pixels, which is the default, or logits: what decode gives
  scale       log_variance, which is the default, stddev, variance or log_stddev: the second that encode gives
  beta        the weight of the KL in your loss; reduction=sum|mean of the distortion, kl_reduction=sum|mean of the KL
  floor       what free bits or another method hold the KL at, nats per example in all
  units       channel, which is the default, or element, of spatial latents
  samples=50  importance samples of the NLL, 0 for none
  seed=0      of the noise
  save        a folder for result.json, figures and page
  --allow MODULE  the module, whose code is called"""

DEFAULTS = {
    **{"model": "", "data": "", "likelihood": "", "variance": "", "output": "", "scale": "", "beta": ""},
    **{"reduction": "", "kl_reduction": "", "floor": "", "units": "", "samples": "50", "seed": "0", "save": ""},
}
WORDS = ("likelihood", "output", "scale", "reduction", "kl_reduction", "units")
NUMBERS = ("variance", "beta", "floor")
TARGET = re.compile(r"(?P<module>[\w.]+):(?P<name>\w+)")


def made(target: str) -> Any:
    """What a person's function gives.

    Raises:
        ConfigError: when it is not allowed, cannot be found, or fails.
    """
    found = TARGET.fullmatch(target)
    if found is None:
        raise ConfigError.setting("model", target, "must be MODULE:NAME, a function that gives the model")
    module, name = found["module"], found["name"]
    if not lies_under(module, added_modules()):
        raise ConfigError.setting("model", target, f"its code is not called unless you say so: --allow {module}")
    try:
        return getattr(import_module(module), name)()
    except Exception as error:  # a person's code: whatever breaks there
        raise ConfigError.setting("model", target, f"gives no model ({one_line(error)})") from error


def figure(name: str, text: str) -> float:
    """The number behind an option.

    Raises:
        ArgumentError: when it is none.
    """
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentError(name, text, "must be a number") from error


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, DEFAULTS)
    for name in ("model", "data"):
        if not options[name]:
            raise ConfigError.part(name, "must be given; see python -m vae_lab.examine --help")
    model = made(options["model"])
    from vae_lab.data import Npz
    from vae_lab.examination.examine import examine

    given: dict[str, Any] = {name: options[name] for name in WORDS if options[name]}
    given |= {name: figure(name, options[name]) for name in NUMBERS if options[name]}
    samples, seed = whole_number("samples", options["samples"]), whole_number("seed", options["seed"])
    data = Npz(options["data"], batch_size=1)
    report = examine(data, model=model, importance_samples=samples, seed=seed, **given)
    print(report)
    if options["save"]:
        folder = report.save(Path(options["save"]))
        print(f"saved: {folder}")
        print(f"next: {shlex.join(['python', '-m', 'vae_lab.report', f'sweep={folder}'])}")


if __name__ == "__main__":
    command(main, USAGE)
