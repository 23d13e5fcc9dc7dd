"""Figures in training: they are drawn, and training does not notice."""

import json

import pytest
import torch
from lightning.pytorch.loggers import Logger

from vae_lab.callbacks.figures import evaluating
from vae_lab.checks import ConfigError
from vae_lab.figures.frames import frames
from vae_lab.training import run
from vae_lab.training.assembly import assemble

FEW = ("figures=on", "figures.every=10", "figures.only=[manifold,film]", "figures.grid=3", "metrics.test.nll.k=0")


def weights(directory):
    return torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.mark.parametrize("model", ["beta_vae", "bn_vae"])
def test_a_run_with_figures_ends_with_the_same_weights(compose_config, tmp_path, model):
    own = (f"model={model}", "annealing=linear", "annealing.steps=10", "model.latent_dim=2", "metrics.test.nll.k=0")
    run.execute(compose_config(*own), tmp_path / "without", {})
    before = torch.get_rng_state()
    result = run.execute(compose_config(*own, *FEW), tmp_path / "with", {})
    assert torch.get_rng_state().equal(before)
    assert result.status == "finished"
    first, second = weights(tmp_path / "without"), weights(tmp_path / "with")
    assert first.keys() == second.keys()
    assert all(first[name].equal(second[name]) for name in first)
    metrics = [json.loads((tmp_path / name / "result.json").read_text())["metrics"] for name in ("with", "without")]
    assert metrics[0] == metrics[1]


def test_frames_at_the_interval_and_chosen_figures_at_the_end(compose_config, tmp_path):
    run.execute(compose_config(*FEW, "model.latent_dim=2", "annealing=linear", "annealing.steps=20"), tmp_path, {})
    told = frames(tmp_path / "figures" / "frames")
    assert [frame.step for frame in told] == [0, 10, 20]
    assert told[0].kl_weight == 0.0
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {
        "frames",
        "manifold.png",
        "film.png",
        "film.gif",
    }


def test_the_dimensions_of_the_film_are_chosen_once(compose_config, tmp_path):
    run.execute(compose_config(*FEW, "model.latent_dim=5", "figures.every=5"), tmp_path, {})
    told = frames(tmp_path / "figures" / "frames")
    assert [frame.step for frame in told] == [5, 10, 15, 20], "before training none is more used than another"
    assert len({frame.dims for frame in told}) == 1
    assert len(told[0].dims) == 2
    assert told[0].rate_dim.shape == (5,)


def test_frames_of_an_older_run_in_the_directory_are_dropped(compose_config, tmp_path):
    old = tmp_path / "figures" / "frames"
    old.mkdir(parents=True)
    (old / "step-00000007.npz").write_bytes(b"old")
    run.execute(compose_config(*FEW, "model.latent_dim=2"), tmp_path, {})
    assert not (old / "step-00000007.npz").exists()


class Album(Logger):
    """A logger that takes pictures."""

    def __init__(self, **about):
        self.taken = []

    name, version = "album", 0

    def log_metrics(self, metrics, step=None):
        pass

    def log_hyperparams(self, params, *args, **kwargs):
        pass

    def log_pictures(self, files, step):
        self.taken.append((step, dict(files)))


def test_loggers_that_take_pictures_get_them(compose_config, tmp_path, monkeypatch):
    album = Album()
    monkeypatch.setattr(run, "open_loggers", lambda config, directory, name, group, opened: opened.append(album))
    run.execute(compose_config(*FEW, "model.latent_dim=2"), tmp_path, {})
    steps = [(step, list(files)) for step, files in album.taken]
    assert steps == [(0, ["film"]), (10, ["film"]), (20, ["film"]), (20, ["manifold"]), (20, ["film.gif"])]
    assert all(file.is_file() for _, files in album.taken for file in files.values())


def test_a_figure_that_fails_costs_a_warning_and_not_the_run(compose_config, tmp_path, monkeypatch, caplog):
    from vae_lab import gallery

    def broken(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(gallery, "record", broken)
    monkeypatch.setitem(gallery.NAMES, "manifold", broken)
    result = run.execute(compose_config(*FEW, "model.latent_dim=2"), tmp_path, {})
    assert result.status == "finished"
    said = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert said[0] == "figure film is left out at step 0: RuntimeError: no ink"
    assert said[-1] == "figure manifold is left out at step 20: RuntimeError: no ink"


def test_each_module_comes_back_in_its_own_mode():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.BatchNorm1d(2))
    model[1].eval()

    def draw():
        with evaluating(model):
            assert not model[0].training
            raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        draw()
    assert (model.training, model[0].training, model[1].training) == (True, True, False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["figures.every=0"], r"figures.every=0: must be a whole number >= 1"),
        (["figures.only=[manifol]"], r"figures.only=manifol: must be one of .*did you mean manifold"),
        (["figures.only=manifold"], r"figures.only=manifold: must be a list of"),
        (["figures.dims=[3,9]"], r"figures.dims=\[3,9\]: must be 2 of the dimensions 0 to 3"),
        (["figures.dims=[a,b]"], r"figures.dims=a: must be a whole number"),
        (["figures.dims=3"], r"figures.dims=3: must be a list"),
        (["figures.grid=1"], r"figures.grid=1: must be a whole number >= 2"),
    ],
)
def test_mistakes_are_one_line_that_names_the_key(compose_config, overrides, message):
    with pytest.raises(ConfigError, match=message) as caught:
        assemble(compose_config("figures=on", *overrides))
    assert len(str(caught.value).splitlines()) == 1


def test_without_matplotlib_one_line_says_what_to_install(compose_config, monkeypatch):
    monkeypatch.setattr("vae_lab.callbacks.figures.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"figures: .*pip install 'vae_lab\[figures\]'"):
        assemble(compose_config("figures=on"))
