"""The model card, made of the run's record: data, figures, verdict, cause, pictures. Nothing is left to fill in."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vae_lab.config.names import key_and_text
from vae_lab.report.cautions import cautions
from vae_lab.report.commands import arguments_of
from vae_lab.report.figures import cell, figures_of
from vae_lab.report.words import collapse
from vae_lab.runs.run import Run, text
from vae_lab.runs.setting import settings_of

TASK = "unconditional-image-generation"
TAGS = ("variational-autoencoder", "vae", "vae_lab")
MEANINGS = {
    "ELBO": "nats per image, higher is better",
    "bits/dim": "the negative ELBO in bits per pixel and channel",
    "KL (rate)": "KL( q(z|x) ‖ p(z) ), nats per image",
    "floor": "the rate that the method holds, whatever z carries",
    "distortion": "-log p(x|z), nats per image",
    "MI": "what z says of x, nats per image",
    "prior gap": "KL( q(z) ‖ p(z) ), nats: how far samples of the prior lie from what the decoder knows",
    "active units": "dimensions whose posterior mean varies",
    "shuffle gap": "how much the distortion rises when z is exchanged between images, nats per image",
    "linear KL": "the rate of a linear VAE on these data, nats per image",
    "perceptual": "distance of feature maps between images and mean images, which the loss adds",
    "sharpness": "variance of the Laplacian of reconstructions, relative to the images'",
    "sample sharpness": "likewise of samples",
    "FD-lite0": "Fréchet distance of samples on features of EfficientNet-Lite0; no FID",
}


def card(run: Run, recipe: Mapping[str, Any], pictures: Sequence[str], license: str) -> str:
    """The text of ``README.md``.

    Args:
        run: a finished run.
        recipe: what its checkpoint says of the model.
        pictures: their files, relative to the card.
        license: empty where there is none.
    """
    parts = [
        front(run, recipe, license),
        f"# {title(run, recipe)}\n\n{summary(run, recipe)}",
        section("Use it", usage(run)),
        section("Data", data_words(recipe)),
        section("Figures", figures_words(run)),
        section("Does the decoder use z?", verdict_words(run)),
        section("Pictures", "\n\n".join(f"![{Path(name).stem}]({name})" for name in pictures)),
        section("How it was trained", training_words(run, recipe)),
        section("What to beware of", "\n".join(f"- {line}" for line in cautions([run], settings_of([run], [])))),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def section(heading: str, body: str) -> str:
    """A section; empty where it has nothing to say."""
    return f"## {heading}\n\n{body}" if body else ""


def table_row(*cells: str) -> str:
    r"""A row of a Markdown table.

    Example:
        >>> table_row("KL", "q(z|x)")
        '| KL | q(z\\|x) |'
    """
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def kind(node: Mapping[str, Any]) -> str:
    """The class of a part, such as ``BetaVAE``."""
    return str(node["_target_"]).rpartition(".")[2]


def title(run: Run, recipe: Mapping[str, Any]) -> str:
    """The model and its data: ``BetaVAE on Digits``."""
    config = recipe["config"]
    return f"{kind(config['model'])} on {kind(config['data'])}"


def front(run: Run, recipe: Mapping[str, Any], license: str) -> str:
    """The header that the hub reads, YAML; JSON's strings are YAML's."""
    data = json.dumps(kind(recipe["config"]["data"]))
    rows = [(shown.name, heading) for heading, shown in figures_of([run]).items()]
    figures = [(name, heading, run.figure(name)) for name, heading in rows]
    metrics = [
        f"    - type: {name}\n      name: {json.dumps(heading)}\n      value: {value:.6g}"
        for name, heading, value in figures
        if value is not None
    ]
    lines = [
        "library_name: vae_lab",
        *([f"license: {json.dumps(license)}"] if license else []),
        f"pipeline_tag: {TASK}",
        f"tags:\n{chr(10).join(f'- {tag}' for tag in TAGS)}",
        f"model-index:\n- name: {json.dumps(title(run, recipe))}\n  results:",
        f"  - task:\n      type: {TASK}\n    dataset:\n      type: {data}\n      name: {data}\n      split: test",
        "    metrics:\n" + "\n".join(metrics),
    ]
    return "\n".join(["---", *lines, "---"])


def summary(run: Run, recipe: Mapping[str, Any]) -> str:
    """One sentence."""
    channels, height, width = recipe["image_shape"]
    return (
        f"A variational autoencoder with {run.result.latent_dim} latent dimensions for images of {channels} x {height} "
        f"x {width}, trained for {run.result.steps} steps by vae_lab {run.result.versions.get('vae_lab', '')}."
    )


def usage(run: Run) -> str:
    """How to load it."""
    allowed = [key_and_text(a)[1] for a in arguments_of(run.directory) if a.startswith("--allow=")]
    allow = f", allow={json.dumps(allowed)}" if allowed else ""
    return (
        "```python\nimport vae_lab  # pip install 'vae_lab[export]'\n\n"
        f'model = vae_lab.load("FOLDER"{allow})  # this folder, as downloaded\n'
        "images = model.sample(16)  # (16, C, H, W)\n"
        "posterior = model.encode(images)  # q(z|x), a torch.distributions.Normal\n```"
    )


def data_words(recipe: Mapping[str, Any]) -> str:
    """What it was trained on, and how that was read."""
    config = recipe["config"]
    rows = [(name, value) for name, value in config["data"].items() if name != "_target_"]
    settings = ", ".join(f"{name} {text({name: value}, name)}" for name, value in rows)
    likelihood = f"The likelihood of a pixel is {kind(config['likelihood'])}."
    return f"`{config['data']['_target_']}` of vae_lab ({settings}). {likelihood}"


def figures_words(run: Run) -> str:
    """The figures of the test split as a table."""
    rows = [table_row(heading, cell(run, heading), MEANINGS.get(heading, "")) for heading in figures_of([run])]
    nll, samples = run.figure("nll"), run.result.importance_samples
    if nll is not None and samples:
        rows.append(table_row("NLL", f"{nll:.2f}", f"importance-weighted with {samples} samples, nats per image"))
    step = f"{run.result.checkpoint} at step {run.result.checkpoint_step}"
    return "\n".join(
        [f"On the test split, of {step}:\n", "| figure | value | meaning |", "| --- | ---: | --- |", *rows]
    )


def verdict_words(run: Run) -> str:
    """How far it collapsed, why, and what was looked at."""
    parts = [collapse(run)]
    if run.held_at_floor:
        parts.append("The rate is held at its floor, which says nothing of what z carries.")
    if run.cause:
        certainty = f" ({run.cause.certainty})" if run.cause.certainty else ""
        parts.append(f"Cause{certainty}: {run.cause.words}.")
    rows = [table_row(*check) for check in run.diagnosis.checks] if run.diagnosis else []
    table = ["\n| looked at | found |", "| --- | --- |", *rows] if rows else []
    return "\n".join([" ".join(parts), *table])


def training_words(run: Run, recipe: Mapping[str, Any]) -> str:
    """What differs from the defaults, how long it took, and with what."""
    result, optimizer = run.result, recipe["config"]["optimizer"]
    changed = ", ".join(f"`{key}={text(result.overrides, key)}`" for key in result.overrides)
    lines = [
        f"- settings other than the defaults: {changed or 'none'}; all of them are in `config.json`",
        f"- {kind(optimizer)}, learning rate {optimizer.get('lr', 'its default')}, batches of {result.batch_size}, "
        f"{result.steps} steps, seed {result.seed}",
        *([f"- {result.seconds:.0f} s"] if result.seconds is not None else []),
        f"- {', '.join(f'{name} {version}' for name, version in result.versions.items())}",
    ]
    return "\n".join(lines)
