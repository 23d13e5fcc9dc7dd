"""``python -m vae_lab.theory data=NAME ...``: which β, or σ², switches off which directions of one's own data."""

import shlex
from typing import TYPE_CHECKING

from vae_lab.console import CommandLine, command, figure_option, save_figure

if TYPE_CHECKING:
    from vae_lab.training.prediction import Prediction, Row

USAGE = """python -m vae_lab.theory [data=NAME ...] [model.latent_dim=D] [model.beta=B]
                         [likelihood=gaussian likelihood.variance=V] [figure=FILE.png]

What a linear VAE would do with your data: how many of their directions are worth their nats at each β.
The settings are those of vae_lab, but for the likelihood, which is gaussian unless you say otherwise.
The figure goes to theory.png.
  --config-dir DIR  a folder of your own settings
  --allow MODULE    a module of your own that may be used; repeat it for more"""


def cells(row: "Row", prediction: "Prediction") -> list[str]:
    """A row of the table."""
    chosen = " *" if row.beta == prediction.beta else ""
    cells = [f"{row.beta:g}{chosen}", str(row.directions), f"{row.latents} of {prediction.latent_dim}"]
    variance = prediction.variance
    if variance is None:
        return cells
    return [*cells, f"{row.beta * variance:.4g}", f"{row.rate:.3f}", f"{row.squared_error * variance:.3f}"]


def main(line: CommandLine) -> None:
    """The command."""
    file, overrides = figure_option(line.overrides, "theory.png")

    from vae_lab.report.table import Content, show
    from vae_lab.training.prediction import predict

    prediction = predict(overrides, line.config_dir)
    gaussian = prediction.variance is not None
    titles = ["β", "directions worth it", "latents used", *(["βσ²", "KL (rate)", "squared error"] if gaussian else [])]
    show(Content(titles, [cells(row, prediction) for row in prediction.rows()], words=0).rich())
    name = "a linear VAE obeys it exactly" if gaussian else "it holds near the collapsed state"
    print(f"the linear prediction ({name}); * is the chosen β")
    limit = f"{prediction.eigenvalues[0]:.4g}"
    print(f"linear limit: from β = {limit} on, no direction is worth its nats, and training can stay collapsed;")
    print("anneal from a small β to see whether the data pay for more than directions")
    if prediction.learned:
        print(f"σ² = {prediction.variance:.4g} is where this likelihood starts: it learns σ²")
    save_figure("theory", file, prediction.eigenvalues, prediction.latent_dim, prediction.beta, gaussian)
    chosen = any(override.startswith("likelihood=") for override in overrides)
    likelihood = [] if chosen else ["likelihood=gaussian"]
    print(f"next: {shlex.join(['python', '-m', 'vae_lab', *line.shared, *likelihood, *overrides])}")


if __name__ == "__main__":
    command(main, USAGE)
