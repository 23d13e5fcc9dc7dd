"""``python -m vae_lab.export run=DIR format=onnx``: a trained model for other programs."""

import shlex
from pathlib import Path

from vae_lab.console import CommandLine, command, read_options
from vae_lab.runs.find import find_run

USAGE = """python -m vae_lab.export [run=DIR|latest] format=safetensors|onnx|torch_export|hub_folder [to=DIR]
                         [license=NAME] [--allow MODULE]

Writes the model that the run's figures come from, for other programs.
  run             a run directory, or latest, which is the default
  format          safetensors   model.safetensors: the weights with their recipe, which vae_lab.load reads
                  onnx          encoder.onnx, x to mean and stddev, and decoder.onnx, z to the mean image
                  torch_export  the same as encoder.pt2 and decoder.pt2, which torch.export.load reads
                  hub_folder    a folder to upload: model card, weights, config, result and pictures
  to              where to; RUN/export if you leave it out, RUN/export/hub for a hub_folder
  license         the licence that the model card names, such as mit
  --allow MODULE  a module of your own that the model's networks come from; repeat it for more"""

DEFAULTS = {"run": "latest", "format": "safetensors", "to": "", "license": ""}
HUB = "hub_folder"


def main(line: CommandLine) -> None:
    """The command."""
    options = read_options(line.overrides, DEFAULTS)
    run = find_run(options["run"])

    from vae_lab.exporting import export

    usual = run / "export" / "hub" if options["format"] == HUB else run / "export"
    folder = Path(options["to"]).expanduser() if options["to"] else usual
    for file in export(run, options["format"], folder, options["license"]):
        print(f"{file} ({file.stat().st_size / 1e6:.2f} MB)")
    if options["format"] == HUB:
        print(f"next: {shlex.join(['hf', 'upload', 'USER/NAME', str(folder)])}")


if __name__ == "__main__":
    command(main, USAGE)
