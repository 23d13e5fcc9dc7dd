"""``trainer.compile``: the same figures from one compiled graph, which no schedule compiles anew."""

import pytest
import torch
from torch._dynamo.utils import counters

from vae_lab.checks import ConfigError
from vae_lab.config.compose import compose_config
from vae_lab.training import compiling
from vae_lab.training.assembly import assemble
from vae_lab.training.run import check, execute

SHORT = (
    *("trainer.max_steps=12", "trainer.val_check_interval=6", "trainer.log_every_n_steps=3", "metrics.test.nll.k=0"),
    *("threads=1", "encoder.hidden=[16]", "decoder.hidden=[16]"),
)
ANNEALED = {
    "vae": ("annealing=cyclical", "annealing.steps=10", "free_bits=dimension"),
    "beta_vae": ("annealing=linear", "annealing.steps=8", "free_bits=growing"),
    "bn_vae": ("annealing=sigmoid", "annealing.steps=8"),
    "delta_vae": ("annealing=constant",),
    "info_vae": ("annealing=linear", "annealing.steps=8"),
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Graphs are counted from none; ``aot_eager`` traces as the default does, and needs no C++ compiler."""
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("model", ANNEALED)
def test_one_graph_whatever_the_schedules_do(model, tmp_path):
    overrides = [f"model={model}", *ANNEALED[model], *SHORT]
    eager = execute(compose_config(overrides), tmp_path / "eager", {})
    assert counters["stats"]["unique_graphs"] == 0
    compiled = execute(compose_config([*overrides, "trainer.compile=true"]), tmp_path / "compiled", {})
    assert counters["stats"]["unique_graphs"] == 1
    assert compiled.figure("elbo") == pytest.approx(eager.figure("elbo"), rel=1e-4)


def test_bf16(tmp_path):
    overrides = ["model=vae", *SHORT, "trainer.compile=true", "trainer.precision=bf16-mixed"]
    assert execute(compose_config(overrides), tmp_path, {}).figure("elbo") > -1000
    assert counters["stats"]["unique_graphs"] == 1


def test_more_forms_than_torch_keeps_are_compiled_in_one_process():
    for latent_dim in range(1, torch._dynamo.config.recompile_limit + 3):
        parts = assemble(compose_config(["model=vae", f"model.latent_dim={latent_dim}", *SHORT]))
        compiling.compile_training(parts.model, "default")
        x = parts.data.training_sample(4)
        assert parts.model(x, parts.model.noise_of_step(0, 4)).loss.isfinite()


def test_refused():
    with pytest.raises(ConfigError, match=r"trainer\.compile=fast: "):
        check(compose_config(["trainer.compile=fast"]))
    with pytest.raises(ConfigError, match=r"trainer\.compile=3: must be true, false, or one of default"):
        check(compose_config(["trainer.compile=3"]))
