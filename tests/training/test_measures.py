"""Which metrics measure a run: what the config says, what applies to the model, and what is refused before training."""

import sys

import pytest

from vae_lab.checks import ConfigError
from vae_lab.config.build import allowing
from vae_lab.runs.result import Result
from vae_lab.training.assembly import assemble
from vae_lab.training.run import execute

OWN = '''
from torch import Tensor, zeros
from torchmetrics import Metric


class Brightness(Metric):
    """The mean pixel, in units of the range of all."""

    def __init__(self, data_range: float, latent_dim: int, scale: float = 1.0) -> None:
        super().__init__()
        self.data_range, self.latent_dim, self.scale = data_range, latent_dim, scale
        self.add_state("total", zeros(()), dist_reduce_fx="sum")
        self.add_state("count", zeros(()), dist_reduce_fx="sum")

    def update(self, x: Tensor, labels: Tensor) -> None:
        self.total += x.mean((1, 2, 3)).sum() * self.scale / self.data_range
        self.count += len(labels)

    def compute(self) -> Tensor:
        return self.total / self.count


class Lost(Brightness):
    def update(self, x: Tensor, temperature: Tensor) -> None: ...


class NeedsFactors(Brightness):
    def update(self, factors: Tensor) -> None: ...


class MayHaveFactors(Brightness):
    def update(self, x: Tensor, factors: Tensor | None = None) -> None: ...
'''


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_module", None)


@pytest.mark.usefixtures("own_module")
def test_a_metric_of_ones_own_is_measured(compose_config, tmp_path):
    added = ["+metrics.test.mine._target_=my_module.Brightness", "+metrics.test.mine.scale=2.0"]
    added += ["+metrics.val.mine._target_=my_module.Brightness"]
    with allowing(["my_module"]):
        figures = execute(compose_config(*added), tmp_path / "run", {}).metrics
    mean = assemble(compose_config()).data.splits["test"].images.mean().item()
    assert figures["test/mine"] == pytest.approx(2 * mean, rel=1e-5)
    assert "val/mine" in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("my_module.Brightness", None),
        ("my_module.MayHaveFactors", None),
        ("my_module.Lost", r"metrics\.test\.mine: update asks for temperature; must be of x, indices, labels, factors"),
        ("my_module.NeedsFactors", r"metrics\.test\.mine: update asks for factors, which these data do not have"),
        ("vae_lab.models.VAE", r"metrics\.test\.mine\._target_=vae_lab\.models\.VAE: must be a Metric"),
        ("my_module.Absent", r"metrics\.test\.mine\._target_=my_module\.Absent: cannot be imported"),
    ],
)
def test_what_a_metric_may_ask_for_is_checked_before_training(target, message, compose_config):
    config = compose_config(f"+metrics.test.mine._target_={target}")
    with allowing(["my_module"]):
        if message is None:
            assert "mine" in assemble(config).evaluation.metrics["test"]
        else:
            with pytest.raises(ConfigError, match=f"^{message}"):
                assemble(config)


def test_a_module_that_nobody_allowed_is_refused(compose_config):
    with pytest.raises(ConfigError, match=r"metrics\.test\.mine\._target_=my_module\.Brightness: must lie under"):
        assemble(compose_config("+metrics.test.mine._target_=my_module.Brightness"))


def test_bad_settings_are_refused_by_name(compose_config):
    with pytest.raises(ConfigError, match=r"^metrics\.test\.nll\.k=-3: must be a whole number >= 0$"):
        assemble(compose_config("metrics.test.nll.k=-3"))
    with pytest.raises(ConfigError, match=r"^metrics\.val\.elbo\.colour=1: no such setting$"):
        assemble(compose_config("+metrics.val.elbo.colour=1"))


def names(config, split="test"):
    return set(assemble(config).evaluation.metrics[split].keys())


def test_a_metric_can_be_switched_off(compose_config):
    everything = names(compose_config())
    assert everything - names(compose_config("~metrics.test.ssim")) == {"ssim"}
    assert everything - names(compose_config("metrics.test.psnr=null")) == {"psnr"}


@pytest.mark.parametrize("split_and_name", ["val.elbo", "test.elbo", "test.mutual_information", "test.shuffle_gap"])
def test_what_a_run_rests_on_cannot_be_switched_off(split_and_name, compose_config):
    with pytest.raises(ConfigError, match=rf"^metrics\.{split_and_name}: cannot be left out: "):
        assemble(compose_config(f"~metrics.{split_and_name}"))


def test_what_a_remedy_reads_cannot_be_switched_off(compose_config):
    assert "mutual_information" not in names(compose_config("~metrics.val.mutual_information"), "val")
    with pytest.raises(
        ConfigError, match=r"^metrics\.val\.mutual_information: cannot be left out: AggressiveInference"
    ):
        assemble(compose_config("~metrics.val.mutual_information", "inference=aggressive"))


@pytest.mark.parametrize(
    ("overrides", "left_out"),
    [
        ((), {"bits_per_dim", "perceptual"}),
        (("likelihood=discretized_logistic", "likelihood.levels=17"), {"perceptual"}),
        (("decoder=pixelcnn",), {"bits_per_dim", "psnr", "ssim", "perceptual", "sharpness", "fd_lite0"}),
        (("data=gaussian", "likelihood=gaussian"), {"bits_per_dim", "ssim", "perceptual", "sharpness"}),
    ],
)
def test_what_says_nothing_of_a_model_is_left_out(overrides, left_out, compose_config):
    config = compose_config(*overrides)
    assert config["metrics"]["test"].keys() - names(config) == left_out


def test_the_partners_of_the_shuffle_gap_do_not_follow_the_seed(compose_config):
    for seed in (0, 7):
        assert assemble(compose_config(f"seed={seed}")).evaluation.metrics["test"]["shuffle_gap"].seed == 0


def test_an_option_of_ones_own_changes_what_is_measured(cli, tmp_path):
    (tmp_path / "own" / "metrics").mkdir(parents=True)
    (tmp_path / "own" / "metrics" / "few.yaml").write_text(
        "defaults: [default]\ntest: {ssim: null, nll: {k: 1}}\nval: {shuffle_gap: null}\n"
    )
    options = ("trainer.max_steps=4", "trainer.val_check_interval=2", "hydra.run.dir=run")
    outcome = cli("--config-dir", str(tmp_path / "own"), "metrics=few", *options)
    assert outcome.code == 0, outcome.err
    result = Result.read(tmp_path / "run")
    assert "test/ssim" not in result.metrics
    assert "test/psnr" in result.metrics
    assert result.importance_samples == 1
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert "val/mutual_information" in header
    assert "val/shuffle_gap" not in header
