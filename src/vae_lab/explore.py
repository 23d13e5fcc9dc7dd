"""``python -m vae_lab.explore run=DIR [port=N] [dims=0,3]``: walk through a model's latent space in the browser."""

import shlex
import webbrowser
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vae_lab.checks import ArgumentError, ConfigError, choice
from vae_lab.console import CommandLine, command, read_options, whole_number
from vae_lab.runs.find import find_run
from vae_lab.runs.result import Result

if TYPE_CHECKING:
    from vae_lab.explorer import Scene
    from vae_lab.models import VAE

USAGE = """python -m vae_lab.explore [run=DIR|latest] [port=N] [dims=I,J] [split=train|val|test] [open=true]
python -m vae_lab.explore [run=DIR|latest] file=FILE.html [dims=I,J] [split=train|val|test]

Shows a page on which you drag over the latent plane of a trained model, and the decoded image follows.
  run             a run directory, or latest, which is the default
  port            of the page on this machine; any free one if you leave it out
  dims            the two dimensions of the plane; the two with the highest KL if you leave them out
  split           whose images are shown; test is the default
  open            true opens the page in your browser; false, the default, prints its address
  file            write the page with the decoder inside it to this file: no server and no network
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more

Ctrl-C ends it. The page needs pip install 'vae_lab[explore]'; the file does not."""

OPTIONS = {"run": "latest", "port": "0", "dims": "", "split": "test", "open": "false", "file": ""}
LARGEST_PORT = 65535
EXTRA = ("starlette", "uvicorn", "websockets")  # of pip install 'vae_lab[explore]'


def about(run: Path) -> str:
    """What a run is, in one line without the paths of its person's files."""
    result = Result.read(run)
    changed = [f"{key}={value}" for key, value in result.overrides.items() if not {"/", "\\"} & set(str(value))]
    step = [f"step {result.checkpoint_step}"] if result.checkpoint_step is not None else []
    verdict = [f"collapse: {result.verdict}"] if result.verdict else []
    return " · ".join([run.name, *changed, *step, *verdict])


def gather(run: Path, split: str, dims: str, modules: list[str]) -> "tuple[VAE, Scene]":
    """The model of a run, and what its page shows."""
    from vae_lab.explorer.scene import scene_of
    from vae_lab.training.loading import load
    from vae_lab.training.trainer import quieten

    quieten()
    chosen = [whole_number("dims", dim.strip()) for dim in dims.strip("[]").split(",")] if dims else None
    model, data = load(run, allow=modules, with_data=True)
    return model, scene_of(model, data, split, chosen, about(run))


def write(file: Path, model: "VAE", scene: "Scene", live: str) -> None:
    """Write the page with the decoder inside it; ``live`` is the command for what cannot be written."""
    from vae_lab.explorer.export import export
    from vae_lab.explorer.network import NoForm

    try:
        done = export(model, scene, file)
    except NoForm as error:
        raise ArgumentError("file", file, f"{error}; open it with its server instead: {live}") from error
    print(f"page: {file.absolute()} ({done.bytes / 1e6:.2f} MB, weights as {done.precision})")
    if done.precision == "float16":
        print(f"rounding the weights changes a pixel by at most {done.difference:.2f} of 255 levels")


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, OPTIONS)
    choice("split", options["split"], ("train", "val", "test"))
    opens = choice("open", options["open"], ("true", "false")) == "true"
    port = whole_number("port", options["port"], high=LARGEST_PORT)
    run = find_run(options["run"])
    about_the_page = (run, options["split"], options["dims"], line.modules)
    if options["file"]:
        live = shlex.join(["python", "-m", "vae_lab.explore", *line.shared, f"run={run}"])
        write(Path(options["file"]).expanduser(), *gather(*about_the_page), live)
        return

    check_extra()
    from vae_lab.explorer.live import explorer, open_port

    listener, address = open_port(port)
    with listener:
        server = explorer(*gather(*about_the_page), listener)
        print(f"{run}: {address} (Ctrl-C ends it)", flush=True)
        if opens:
            webbrowser.open(address)
        server.run(sockets=[listener])


def check_extra() -> None:
    """Refuse to start without what serves the page.

    Raises:
        ConfigError: saying what to install.
    """
    for name in EXTRA:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            message = f"the page needs {name}: pip install 'vae_lab[explore]'; file=FILE.html needs no more"
            raise ConfigError(message) from error


if __name__ == "__main__":
    command(main, USAGE)
