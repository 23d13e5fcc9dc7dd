"""``python -m vae_lab.evaluate run=DIR [k=5000 split=test]``: compute the figures of a trained model anew."""

import shlex
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vae_lab.checks import choice
from vae_lab.console import CommandLine, command, read_options, whole_number
from vae_lab.runs.find import find_run
from vae_lab.runs.result import Result

USAGE = """python -m vae_lab.evaluate [run=DIR|latest] [k=K] [images=N|all] [split=train|val|test]
                           [--allow MODULE]

Computes the figures of a trained model again, beside those that the run recorded.
  run             a run directory, or latest, which is the default
  k               importance samples of the NLL; as many as in the run if you leave it out, none if it is 0
  images          for how many images they are drawn; as in the run if you leave it out
  split           test is the default
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more"""

ALL = "all"  # images
NLL = {"_target_": "vae_lab.metrics.ImportanceWeightedNLL"}


def evaluate(
    run: Path, nll: Mapping[str, Any] | None = None, split: str = "test", allow: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the figures of a run's checkpoint on a split by name, as ``result.json`` has them for the test split.

    Args:
        run: a run directory.
        nll: settings of ``ImportanceWeightedNLL`` other than the run's, such as ``k``.
        split: ``train``, ``val`` or ``test``.
        allow: modules of your own that the model's networks come from.

    Raises:
        ValueError: for a split or settings that cannot be, and whatever ``load`` raises.
    """
    from vae_lab.config.build import allowing, build
    from vae_lab.data import Batches, ImageData
    from vae_lab.training.assembly import prepare
    from vae_lab.training.loading import checkpoint_of, load, read_checkpoint
    from vae_lab.training.measures import build_evaluation
    from vae_lab.training.trainer import make_trainer, quieten, set_threads

    choice("split", split, ("train", "val", "test"))
    quieten()
    file = checkpoint_of(run)
    config = read_checkpoint(file)["vae_lab"]["config"]
    model = load(file, allow=allow)
    with allowing(allow):
        data = build(config["data"], "data", ImageData, seed=config["seed"])
        prepare(config, model, data)
        metrics = config["metrics"]
        if nll:
            metrics["test"]["nll"] = {**NLL, **(metrics["test"].get("nll") or {}), **nll}
        evaluation = build_evaluation(metrics, model, data)
    set_threads(config, data)
    config["trainer"]["devices"] = 1  # on however many it was trained
    trainer = make_trainer(config, callbacks=[evaluation], logger=False, enable_progress_bar=False)
    trainer.test(model, Batches(partial(data.eval_stream, split)), verbose=False)
    return {name.replace("test/", f"{split}/"): value for name, value in evaluation.figures.items()}


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, {"run": "latest", "k": "", "images": "", "split": "test"})
    run = find_run(options["run"])
    nll: dict[str, int | None] = {}
    if options["k"]:
        nll["k"] = whole_number("k", options["k"])
    if options["images"]:
        nll["images"] = None if options["images"] == ALL else whole_number("images", options["images"], low=2)
    figures = evaluate(run, nll, options["split"])

    from vae_lab.report.figures import figures_table
    from vae_lab.report.table import WIDE, show, terminal_width

    result = Result.read(run)
    print(f"{run}: {result.checkpoint} (step {result.checkpoint_step}), {options['split']} split")
    show(figures_table(figures, result.metrics), terminal_width() or WIDE)
    if result.verdict == "full":
        print(f"next: {shlex.join(['python', '-m', 'vae_lab.diagnose', f'run={run}'])}")


if __name__ == "__main__":
    command(main, USAGE)
