"""What may be built from a config, and how a wrong argument is named."""

import json
import subprocess
import sys

import pytest
import torch

from vae_lab.checks import ConfigError
from vae_lab.config.build import allowing, build, maker
from vae_lab.elbo.likelihoods import Likelihood
from vae_lab.elbo.penalties import Penalty

FOREIGN = [
    "os.system",
    "builtins.eval",
    "subprocess.Popen",
    "pickle.loads",
    "torch.load",
    "torch.hub.load",
    "vae_lab.config.build.os.system",
    "vae_lab.config.build.import_module",
    "vae_lab.data.npz.np.load",
    "torch.nn.functional.torch.load",
    "torchvision.io.write_file",
    "lightning.pytorch.core.saving._load_from_checkpoint",
    "vae_lab.training.loading.load",
    "sklearn.decomposition.PCA",
    "vae_labs.models.VAE",
    "vae_lab",
    "vae_lab.models.nothing",
    "vae_lab.config.build.ALLOWED",
    "",
    None,
    7,
]


@pytest.mark.parametrize("target", FOREIGN)
def test_foreign_targets_are_refused(target):
    with pytest.raises(ConfigError, match=r"node\._target_[=:]"):
        build({"_target_": target}, "node", object)


@pytest.mark.parametrize("wrap", [lambda n: {"inner": n}, lambda n: [n], lambda n: {"a": {"b": [{"c": n}]}}])
def test_foreign_targets_are_refused_at_any_depth(wrap, tmp_path):
    trace = tmp_path / "trace"
    evil = {"_target_": "os.system", "command": f"touch {trace}"}
    with pytest.raises(ConfigError, match=r"_target_=os\.system"):
        build({"_target_": "torch.nn.Linear", "in_features": 1, "out_features": wrap(evil)}, "node", torch.nn.Module)
    assert not trace.exists()


def test_a_target_must_be_of_the_kind_that_its_place_asks_for():
    node = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}
    with pytest.raises(ConfigError, match=r"likelihood\._target_=torch\.nn\.Linear: must be a Likelihood"):
        build(node, "likelihood", Likelihood)


def test_builds_nested_nodes_and_partials():
    layer = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}
    assert build(layer, "layer", torch.nn.Module).weight.shape == (3, 2)
    make = maker({"_target_": "torch.optim.Adam", "lr": 0.5}, "optimizer", torch.optim.Optimizer)
    assert make([torch.nn.Parameter(torch.zeros(1))]).defaults["lr"] == 0.5


def test_a_wrong_value_is_named_by_its_path():
    with pytest.raises(ConfigError, match=r"^a\.b\.epsilon=-1: must be a finite number >= 0$"):
        build({"_target_": "vae_lab.elbo.penalties.FreeBitsPenalty", "epsilon": -1}, "a.b", Penalty)


def test_an_unknown_argument_is_named():
    with pytest.raises(ConfigError, match=r"^node\.nothing=1: no such setting$"):
        build({"_target_": "vae_lab.elbo.penalties.FreeBitsPenalty", "nothing": 1}, "node", Penalty)


def test_an_unknown_argument_of_a_partial_is_named_before_it_is_called():
    node = {"_target_": "torch.optim.Adam", "lrr": 0.5}
    with pytest.raises(ConfigError, match=r"^optimizer\.lrr=0\.5: no such setting \(did you mean lr\?\)$"):
        maker(node, "optimizer", torch.optim.Optimizer)


def test_a_type_error_that_no_argument_caused_stays_what_it_is():
    node = {"_target_": "torch.nn.Linear", "in_features": "two", "out_features": 3}
    with pytest.raises(ConfigError, match=r"^layer: TypeError: ") as caught:
        build(node, "layer", torch.nn.Module)
    assert caught.value.argument == "layer"


@pytest.mark.parametrize(
    ("node", "argument", "value", "allowed"),
    [
        ({"epsilon": -1}, "node.epsilon", -1, "must be a finite number >= 0"),
        ({"nothing": 1}, "node.nothing", 1, "no such setting"),
        ({"mode": "pixel"}, "node.mode", "pixel", "must be one of dimension, sample, total"),
    ],
)
def test_an_error_carries_its_fields(node, argument, value, allowed):
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "vae_lab.elbo.penalties.FreeBitsPenalty", **node}, "node", Penalty)
    assert (caught.value.argument, caught.value.value, caught.value.allowed) == (argument, value, allowed)


def test_a_refused_target_carries_its_fields():
    with pytest.raises(ConfigError) as caught:
        build({"_target_": "os.system"}, "node", object)
    assert (caught.value.argument, caught.value.value) == ("node._target_", "os.system")


def test_allowing_ends_with_its_block():
    node = {"_target_": "json.JSONDecoder"}
    with allowing(["json"]):
        assert isinstance(build(node, "node", object), json.JSONDecoder)
    with pytest.raises(ConfigError):
        build(node, "node", object)


def test_a_config_cannot_allow_modules(tmp_path):
    """Neither a group file nor Hydra's environment settings can widen the list; only the command line can."""
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "evil.yaml").write_text("_target_: os.system\ncommand: touch trace\n")
    command = [sys.executable, "-m", "vae_lab", "--config-dir", str(tmp_path), "encoder=evil"]
    env = ["+hydra.job.env_set.VAE_LAB_ALLOW=os,posix"]
    for extra in ([], env):
        done = subprocess.run([*command, *extra], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("name", ["_partial_", "_args_", "_recursive_", "bias"])
def test_a_config_cannot_change_how_its_parts_are_called(name):
    """Neither by Hydra's own words nor by an argument that the program gives."""
    node = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3, name: True}
    with pytest.raises(ConfigError, match=rf"^layer\.{name}=True: cannot be set$"):
        build(node, "layer", torch.nn.Module, bias=False)


@pytest.mark.parametrize("node", [None, 5, "vae", ["vae"]])
def test_what_is_no_part_is_refused(node):
    with pytest.raises(ConfigError, match=r"^layer=.*: must be a part"):
        build(node, "layer", torch.nn.Module)


class Breaks(torch.nn.Module):
    """Answers any value with the exception of that name."""

    def __init__(self, kind):
        super().__init__()
        raise {"key": KeyError, "overflow": OverflowError, "runtime": RuntimeError, "attribute": AttributeError}[kind](
            "x"
        )


@pytest.mark.parametrize("kind", ["key", "overflow", "runtime", "attribute"])
def test_whatever_a_part_raises_is_one_line_that_names_it(kind):
    with allowing([__name__]), pytest.raises(ConfigError, match=r"^part: \w+Error: ") as caught:
        build({"_target_": f"{__name__}.Breaks", "kind": kind}, "part", torch.nn.Module)
    assert caught.value.argument == "part"


def test_the_environment_allows_nothing(monkeypatch):
    monkeypatch.setenv("VAE_LAB_ALLOW", "json")
    with pytest.raises(ConfigError, match="must lie under"):
        build({"_target_": "json.JSONDecoder"}, "node", object)
