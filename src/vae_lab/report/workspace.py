"""A wandb workspace as code: which panels compare the runs of a sweep. Its names are those that a run logs."""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2.interface import LinePlot
    from wandb_workspaces.workspaces import Section, Workspace

NAME = "Posterior collapse"
STEP = "trainer/global_step"  # optimizer steps; wandb's own Step counts the rows that it was given
BETA, EPSILON, BATCH, LATENTS = "model.beta", "free_bits.epsilon", "data.batch_size", "model.latent_dim"
KL = "KL (rate), nats per image"
DISTORTION = "Distortion, nats per image"
CARRIED = {  # what z carries, and what the decoder makes of it
    "Mutual information, nats": "val/mutual_information",
    "Shuffle gap, nats per image": "val/shuffle_gap",
    "Active units": "val/active_units",
}
FINAL = ("test/elbo", "test/rate", "test/distortion", "test/mutual_information", "test/shuffle_gap", "unused")
SHOWN = 100  # runs per panel; wandb shows ten where nothing is said
VIRIDIS = {0: "#440154", 50: "#21918c", 100: "#fde725"}  # from the smallest β to the largest


def curve(title: str, name: str, by: str | None = None) -> "LinePlot":
    """A curve of every run; or, by a setting, its median over the runs that share it, and their range."""
    from wandb_workspaces.reports.v2.interface import Config, LinePlot

    plot = LinePlot(title=title, x=STEP, y=[name], title_x="optimizer steps", max_runs_to_show=SHOWN)
    if by:
        plot.title = f"{title}, by {by}"
        plot.groupby, plot.groupby_aggfunc, plot.groupby_rangefunc = Config(by), "median", "minmax"
    return plot


def sections() -> Iterator["Section"]:
    """The sections, from the question to the table: does the KL sink, at what price, and what does z carry."""
    from wandb_workspaces.reports.v2.interface import Config, GradientPoint, RunComparer, ScatterPlot, SummaryMetric
    from wandb_workspaces.reports.v2.interface import ParallelCoordinatesPlot as Parallel
    from wandb_workspaces.reports.v2.interface import ParallelCoordinatesPlotColumn as Axis
    from wandb_workspaces.workspaces import Section

    kl: list[Any] = [curve(KL, "val/rate", by) for by in (BETA, EPSILON, None)]
    yield Section(name="KL", panels=[*kl, curve("KL weight", "coef/kl_weight")], is_open=True)
    distortion: list[Any] = [curve(DISTORTION, "val/distortion", by) for by in (BETA, EPSILON)]
    yield Section(name="Distortion", panels=[*distortion, curve("ELBO, nats per image", "val/elbo")], is_open=True)
    carried: list[Any] = [curve(title, name, BETA) for title, name in CARRIED.items()]
    yield Section(name="What z carries", panels=carried, is_open=True)
    plane = ScatterPlot(
        title="Rate-distortion plane, coloured by β",
        x=SummaryMetric("test/distortion"),
        y=SummaryMetric("test/rate"),
        z=Config(BETA),
        gradient=[GradientPoint(color=color, offset=offset) for offset, color in VIRIDIS.items()],
    )
    settings = [Axis(metric=Config(key)) for key in (BETA, EPSILON, BATCH, LATENTS)]
    figures = [Axis(metric=SummaryMetric(name)) for name in ("test/rate", "test/mutual_information", "test/elbo")]
    across = Parallel(title="Settings and what came of them", columns=settings + figures)
    yield Section(name="Figures of the test split", panels=[plane, across], is_open=True)
    yield Section(name="Runs", panels=[RunComparer(diff_only="split")], is_open=True)


def workspace(project: str, entity: str = "") -> "Workspace":
    """The workspace of a project: sections of panels, beside the table of runs. Needs no account and no network.

    Whatever else a run logs, its figures too, gets panels of wandb's own below them.

    Raises:
        ModuleNotFoundError: when wandb-workspaces is not installed.

    Example:
        >>> [section.name for section in workspace("vae_lab").sections]
        ['KL', 'Distortion', 'What z carries', 'Figures of the test split', 'Runs']
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pydantic, to the people who write that package
        from wandb_workspaces.workspaces import RunsetSettings, Workspace, WorkspaceSettings

    settings = [f"config:{key}" for key in (BETA, EPSILON, BATCH, LATENTS, "seed")]
    columns = ["run:displayName", "run:group", "summary:collapse", "summary:cause", *settings]
    return Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=list(sections()),
        auto_generate_panels=True,
        settings=WorkspaceSettings(x_axis=STEP, max_runs=SHOWN),
        runset_settings=RunsetSettings(pinned_columns=[*columns, *(f"summary:{name}" for name in FINAL)]),
    )


def panels(space: "Workspace") -> list[str]:
    """What its panels are called, with their sections: ``KL: KL (rate), nats per image``."""
    named = [(section.name, getattr(panel, "title", "")) for section in space.sections for panel in section.panels]
    return [f"{section}: {title or 'what differs between runs'}" for section, title in named]


def specification(space: "Workspace") -> str:
    """The workspace as wandb takes it, JSON."""
    return str(space._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2))
