"""Pictures, tags and names in the trackers, read back from what an offline run leaves on disk."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import ProgressBar

from vae_lab.config.compose import compose_config
from vae_lab.report.workspace import specification, workspace
from vae_lab.runs.result import Result
from vae_lab.runs.run import Run
from vae_lab.training.loggers import TensorBoard, WandB
from vae_lab.training.loggers.mirror import Mirror
from vae_lab.training.loggers.wandb import tags
from vae_lab.training.run import execute

pytest.importorskip("wandb")
Image = pytest.importorskip("PIL.Image")

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=0")
PERIOD = 10  # steps between the pictures


def draw(folder: Path) -> dict[str, Path]:
    """A picture and a film of three frames, by name."""
    frames = [Image.new("RGB", (32, 24), (shade, 40, 40)) for shade in (0, 100, 200)]
    files = {"manifold": folder / "manifold.png", "film": folder / "film.gif"}
    frames[0].save(files["manifold"])
    frames[0].save(files["film"], save_all=True, append_images=frames[1:], duration=100, loop=0)
    return files


class Shows(ProgressBar):
    """Shows the pictures in every tracker of a run, at an interval and once more at its end."""

    def __init__(self, files: dict[str, Path]) -> None:
        super().__init__()
        self.files = files

    def disable(self) -> None: ...

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step % PERIOD == 0:
            self.on_fit_end(trainer, pl_module)

    def on_fit_end(self, trainer, pl_module) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, Mirror):
                logger.log_pictures(self.files, trainer.global_step - 1)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """A sweep directory with one run in it, in both trackers, with pictures."""
    folder = tmp_path_factory.mktemp("a_sweep")
    config = compose_config([*SHORT, "logger=[wandb,tensorboard]", "free_bits=dimension", "model.beta=4"])
    shows = Shows(draw(tmp_path_factory.mktemp("drawn")))
    execute(config, folder / "model.beta=4", {"model.beta": 4}, shows, name="model.beta=4", group="a_sweep")
    return folder


def files_of(sweep: Path) -> list[Path]:
    """The offline files of a sweep's runs, where docs/tracking.md says they lie."""
    return list(sweep.glob("*/wandb/offline-run-*/run-*.wandb"))


def inspect(file: Path, *flags: str) -> list[dict]:
    """What wandb itself reads in an offline run."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *flags, "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this wandb cannot show a run on the command line")
    return [json.loads(done.stdout)] if flags else [json.loads(line) for line in done.stdout.splitlines()]


def test_an_offline_run_holds_name_group_project_and_tags(sweep):
    (file,) = files_of(sweep)
    last = [record["run"] for record in inspect(file) if record["type"] == "run"][-1]
    assert (last["display_name"], last["run_group"], last["project"]) == ("model.beta=4", "a_sweep", "vae_lab")
    assert last["tags"] == tags(Run.read(sweep / "model.beta=4"))
    assert last["tags"][:2] == ["collapse: full", "cause: beta"]


def test_an_offline_run_holds_pictures_as_media(sweep):
    (file,) = files_of(sweep)
    rows = [record["history"]["item"] for record in inspect(file) if record["type"] == "history"]
    shown = [row for row in rows if "figures/manifold._type" in row]
    assert [row["trainer/global_step"] for row in shown] == [9, 19, 19]
    assert {row["figures/manifold._type"] for row in shown} == {"image-file"}
    assert {row["figures/film._type"] for row in shown} == {"video-file"}
    for row in shown:
        for name in ("manifold", "film"):
            assert (file.parent / "files" / row[f"figures/{name}.path"]).is_file()
    steps = [row["_step"] for row in rows]
    assert steps == sorted(set(steps))  # or wandb would drop rows
    assert "test/elbo" in set().union(*rows)  # logged after the last picture


def test_wandb_would_upload_each_run_of_a_sweep(sweep):
    (file,) = files_of(sweep)
    command = [sys.executable, "-m", "wandb", "sync", "--dry-run", str(file.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=sweep)
    assert "Would sync 1 run(s)" in done.stderr, done
    assert file.name in done.stderr


def test_tensorboard_holds_pictures_and_the_film_moves(sweep):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(sweep / "model.beta=4" / "tensorboard")).Reload()
    assert set(events.Tags()["images"]) == {"figures/manifold", "figures/film"}
    film, manifold = events.Images("figures/film"), events.Images("figures/manifold")
    assert [event.step for event in manifold] == [9, 19, 19]
    assert (manifold[0].width, manifold[0].height) == (32, 24)
    assert film[0].encoded_image_string.startswith(b"GIF89a")


def test_a_run_that_goes_on_is_the_same_run_there(tmp_path):
    for steps in (10, 20):
        config = compose_config([*SHORT, "logger=wandb", f"trainer.max_steps={steps}"])
        execute(config, tmp_path, {}, name="it", group="")
    began = [file.stem.removeprefix("run-") for file in tmp_path.glob("wandb/offline-run-*/run-*.wandb")]
    assert len(began) == 2 and len({*began}) == 1, began


def test_pictures_say_nothing_on_the_screen(tmp_path, capfd):
    logger = WandB(tmp_path, "run", "", {})
    logger.log_pictures(draw(tmp_path), step=3)
    logger.close(failed=False)
    assert not logger.broken
    assert capfd.readouterr() == ("", "")


def test_a_picture_that_cannot_be_shown_stops_the_pictures_only(tmp_path, caplog):
    pytest.importorskip("tensorboard")
    logger = TensorBoard(tmp_path, "run", "", {})
    for step in (3, 4):
        logger.log_pictures({"manifold": tmp_path / "nowhere.png"}, step)
        logger.log_metrics({"val/rate": 1.0}, step)
    logger.finalize("success")
    (line,) = (record.message for record in caplog.records)
    assert line.startswith("TensorBoard gets no more pictures from step 3 on: No such file or directory")
    assert logger.broken == {"pictures"}


def test_a_run_that_failed_says_why(tmp_path, monkeypatch):
    def breaks(*_):
        raise RuntimeError("no more memory")

    monkeypatch.setattr("vae_lab.training.run.train_and_test", breaks)
    with pytest.raises(RuntimeError):
        execute(compose_config([*SHORT, "logger=wandb"]), tmp_path / "run", {})
    (file,) = files_of(tmp_path)
    (found,) = inspect(file, "--summary")
    assert found["exit_code"] == 1
    assert (found["summary"]["status"], found["summary"]["collapse"]) == ("failed", "failed")
    assert found["summary"]["reason"] == "RuntimeError: no more memory"
    assert [record["run"] for record in inspect(file) if record["type"] == "run"][-1]["tags"] == ["failed"]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"verdict": "none"}, ["collapse: none"]),
        ({"verdict": "partial", "unfinished": True}, ["collapse: partial", "unfinished"]),
        (
            {"verdict": "full", "rate_floor": 1.0, "metrics": {"test/rate": 1.0}},
            ["collapse: full", "held at its floor"],
        ),
        ({"status": "diverged", "reason": "at step 3"}, ["diverged"]),
    ],
)
def test_tags_are_verdict_and_what_to_beware_of(tmp_path, result, expected):
    assert tags(Run(tmp_path, Result(**{"status": "finished", "seed": 0, **result}))) == expected


# -------------------------------------------------------------------------------------------- the workspace


def leaves(tree: object, key: str = "") -> list[tuple[str, str]]:
    """Every text in a specification with the key that it stands under."""
    if isinstance(tree, dict):
        return [leaf for name, value in tree.items() for leaf in leaves(value, name)]
    if isinstance(tree, list):
        return [leaf for value in tree for leaf in leaves(value, key)]
    return [(key, tree)] if isinstance(tree, str) else []


def exists(config: dict, dotted: str) -> bool:
    """Whether a config has a setting."""
    tree: object = config
    for part in dotted.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return False
        tree = tree[part]
    return True


def test_the_workspace_names_what_a_run_logs(sweep):
    (file,) = files_of(sweep)
    (found,) = inspect(file, "--summary")
    summary, config = found["summary"], found["config"]
    named = leaves(json.loads(specification(workspace("vae_lab"))))
    curves = {text for key, text in named if key == "metrics"} | {text for key, text in named if key == "xAxis"}
    results = {text.removeprefix("summary:") for _, text in named if text.startswith("summary:")}
    grouped = {text for key, text in named if key == "groupBy"}
    settings = {text.removeprefix("config:") for _, text in named if text.startswith("config:")} | grouped
    assert {"val/rate", "val/distortion", "val/mutual_information"} <= curves
    assert {"model.value.beta", "free_bits.value.epsilon"} <= grouped
    logged = curves - {text for text in curves if text.startswith("summary:")}
    assert not {name for name in logged | results if name not in summary}
    assert not {name for name in settings if not exists(config, name.replace(".value", ""))}
