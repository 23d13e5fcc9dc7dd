"""A config that is made from shared parts is the one that Hydra composes."""

from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from vae_lab.config.groups import groups
from vae_lab.config.loader import CONFIG, CheckedLoader

OVERRIDES = [
    [],
    ["seed=3", "model.beta=4"],
    ["model.beta=2", "model=beta_vae", "seed=1", "hydra.sweep.subdir='a b'", "data.batch_size=32"],
    ["model=vae", "encoder.hidden=[8,8]", "trainer.max_steps=7", "hydra.job.num=3"],
    ["model.latent_dim=2", "+model.new=1", "~model.beta", "seed=9"],
    ["logger=[csv,tensorboard]", "epochs=null", "hydra/launcher=local", "hydra.launcher.devices=2"],
    ["+case=free_bits", "optimizer.lr=1e-4"],
    ["metrics.val.elbo=null", "metrics.test={}", "++seed=4"],
]


def written(config):
    return OmegaConf.to_container(config, resolve=False), OmegaConf.is_struct(config)


def assert_same(loader, overrides):
    told = (CONFIG, overrides, RunMode.RUN)
    assert written(loader.load_configuration(*told)) == written(ConfigLoaderImpl.load_configuration(loader, *told))


def test_shared_is_composed():
    loader = CheckedLoader()
    for overrides in [*OVERRIDES, *OVERRIDES]:  # each once more, from what is shared by then
        assert_same(loader, overrides)


@pytest.mark.parametrize("experiment", groups()["experiment"])
def test_experiments(experiment):
    loader = CheckedLoader()
    for values in (["seed=1"], ["data.batch_size=16", "seed=2"]):
        assert_same(loader, [f"+experiment={experiment}", *values])


def test_composed_once():
    loader, composed = CheckedLoader(), []
    compositions = loader.compositions
    for seed in range(3):
        loader.load_configuration(CONFIG, ["model=vae", f"seed={seed}"], RunMode.RUN)
        composed.append(len(compositions.composed))
    assert composed == [1, 1, 1]
    loader.load_configuration(CONFIG, ["model=bn_vae", "seed=0"], RunMode.RUN)
    assert len(compositions.composed) == 2


def test_copies_are_apart():
    loader = CheckedLoader()
    first = loader.load_configuration(CONFIG, ["seed=1"], RunMode.RUN)
    first.model.latent_dim = 77
    assert loader.load_configuration(CONFIG, ["seed=1"], RunMode.RUN).model.latent_dim == 4


@pytest.mark.parametrize("wrong", ["model.betta=1", "modle=vae", "model=nothing", "seed=1=2", "data.batch_size.x=1"])
def test_mistakes_are_hydras(wrong):
    said = []
    for load in (CheckedLoader.load_configuration, ConfigLoaderImpl.load_configuration):
        with pytest.raises((HydraException, ValueError)) as caught:
            load(CheckedLoader(), CONFIG, ["seed=1", wrong], RunMode.RUN)
        said.append(str(caught.value))
    if "=nothing" not in wrong:  # which is refused before Hydra sees it
        assert said[0] == said[1]


def test_a_persons_own_folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("_target_: vae_lab.models.VAE\nlatent_dim: 3\n")
    loader = CheckedLoader(Path(tmp_path))
    for seed in (1, 2):
        assert_same(loader, ["model=mine", f"seed={seed}"])
