"""``python -m vae_lab.theory data=NAME ...``: which β, or σ², switches off which directions of one's own data."""

import shlex
from typing import TYPE_CHECKING

from vae_lab.console import CommandLine, command, figure_option, save_figure

if TYPE_CHECKING:
    from vae_lab.training.prediction import Prediction, Row

USAGE = """python -m vae_lab.theory [data=NAME ...] [model.latent_dim=D] [model.beta=B]
                         [likelihood=gaussian likelihood.variance=V] [figure=FILE.png]

What a linear VAE would do with your data: how many of their directions it would encode at each β.
The settings are those of vae_lab, but for the likelihood, which is gaussian unless you say otherwise.
The figure goes to theory.png.
  --config-dir DIR  a folder of your own settings
  --allow MODULE    a module of your own that may be used; repeat it for more"""


def cells(row: "Row", prediction: "Prediction") -> list[str]:
    """A row of the table."""
    chosen = " *" if row.beta == prediction.beta else ""
    cells = [f"{row.beta:g}{chosen}", str(row.directions), f"{row.latents} of {prediction.latent_dim}"]
    if row.variance is None:
        return cells
    learned = [f"{row.variance:.4g}"] if prediction.learned else []
    return [*cells, *learned, f"{row.beta * row.variance:.4g}", f"{row.rate:.3f}", f"{row.squared_error:.3f}"]


def titles(prediction: "Prediction") -> list[str]:
    """The heads of the table's columns."""
    gaussian = ["βσ²", "KL (rate)", "squared error"] if prediction.variance is not None else []
    return ["β", "directions above β", "latents used", *(["σ²"] if prediction.learned else []), *gaussian]


def limit(prediction: "Prediction") -> str:
    """What the linear limit is, and what it means."""
    unit = f" (at σ² = {prediction.variance:.4g}, the variance of a pixel)" if prediction.learned else ""
    return (
        f"linear limit: from β = {prediction.limit:.4g}{unit} on, no direction of the data saves as much as it costs, "
        "and training can stay collapsed; anneal from a small β to see whether there is something better"
    )


def main(line: CommandLine) -> None:
    """The command."""
    file, overrides = figure_option(line.overrides, "theory.png")

    from vae_lab.report.table import Content, say, show
    from vae_lab.training.prediction import predict

    prediction = predict(overrides, line.config_dir)
    gaussian = prediction.variance is not None
    show(Content(titles(prediction), [cells(row, prediction) for row in prediction.rows()], words=0).rich())
    name = "a linear VAE obeys it exactly" if gaussian else "it holds near the collapsed state"
    learned = "; σ² is learnt, and stands where it ends at each β" if prediction.learned else ""
    say([f"the linear prediction ({name}); * is the chosen β{learned}", limit(prediction)])
    curve = prediction.curve()
    latents, rates = [row.latents for row in curve], [row.rate for row in curve] if gaussian else None
    drawn = ([row.beta for row in curve], latents, rates, prediction.latent_dim, prediction.beta, prediction.limit)
    save_figure("theory", file, *drawn)
    chosen = any(override.startswith("likelihood=") for override in overrides)
    likelihood = [] if chosen else ["likelihood=gaussian"]
    print(f"next: {shlex.join(['python', '-m', 'vae_lab', *line.shared, *likelihood, *overrides])}")


if __name__ == "__main__":
    command(main, USAGE)
