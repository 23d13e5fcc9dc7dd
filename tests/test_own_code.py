"""docs/own_code.md: every snippet is pasted where the page says, and trains."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from vae_lab.networks import MLPDecoder, MLPEncoder

PAGE = Path(__file__).parents[1] / "docs" / "own_code.md"
IMAGE, D, STEPS = (1, 4, 4), 3, 40
LOOP, LAST = "# in the loop", "    loss = distortion.mean() + kl.sum(1).mean()\n"
AFTER = "    mean, log_variance = encoder(x)  # (B, D) each\n"


def blocks() -> list[str]:
    """The page's Python, block by block."""
    return [part.partition("\n")[2] for part in PAGE.read_text().split("```") if part.startswith("python\n")]


TRAIN, *SNIPPETS = [block for block in blocks() if not block.startswith(("# my_module.py", "# fit.py"))]
MODULE, FIT = [block for block in blocks() if block.startswith(("# my_module.py", "# fit.py"))]


def pasted(snippet: str) -> str:
    """The loop with a snippet in the place that its comment names."""
    before, _, rest = snippet.partition(LOOP)
    comment, _, body = rest.partition("\n")
    place = AFTER if "after" in comment else LAST
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    assert place in TRAIN
    head, _, loop = TRAIN.partition("for step, x")
    return f"{head}{before}for step, x{loop}".replace(place, (AFTER if place == AFTER else "") + lines)


def namespace() -> dict:
    """What a person has before the loop."""
    torch.manual_seed(0)
    encoder, decoder = MLPEncoder(IMAGE, D, [16]), MLPDecoder(IMAGE, D, [16])
    x = (torch.arange(64) % 2).float().view(-1, 1, 1, 1).expand(-1, *IMAGE)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=0.02)
    known = {"encoder": encoder, "decoder": decoder, "optimizer": optimizer, "latent_dim": D}
    return known | {"images": [x] * STEPS, "loader": DataLoader(x, batch_size=16)}


def test_the_page_has_a_snippet_for_each_function():
    names = ("kl_annealing", "free_bits", "capacity", "pi_controller", "bn_mean", "mmd", "optimal_sigma")
    assert all(f"vae_lab.{name}(" in snippet for name, snippet in zip(names, SNIPPETS, strict=True))


@pytest.mark.parametrize("snippet", ["", *SNIPPETS], ids=lambda s: s.partition("vae_lab.")[2].partition("(")[0] or "no")
def test_a_pasted_snippet_trains(snippet):
    known = namespace()
    code = pasted(snippet) if snippet else TRAIN
    assert not snippet or code != TRAIN
    exec(compile(code, str(PAGE), "exec"), known)
    assert known["loss"].isfinite()
    assert known["step"] == STEPS - 1
    assert known["distortion"].mean() < 16 * 0.6931  # less than of the first step


def fit(tmp_path, module=MODULE, remedies=None):
    known = namespace()
    exec(compile(module, "my_module.py", "exec"), known)
    chosen = f"remedies = {remedies}\n" if remedies else ""
    quiet = "logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False"
    code = FIT.replace("trainer = ", f"{chosen}trainer = ").replace("max_steps=1000", f"max_steps=30, {quiet}")
    code = code.replace("callbacks=", "accelerator='cpu', log_every_n_steps=1, callbacks=")
    model = "model = MyVAE(encoder, decoder)\n"
    code = model + code.replace("MyVAE(encoder, decoder)", "model")
    exec(compile(code.replace("Trainer(", f"Trainer(default_root_dir={str(tmp_path)!r}, "), "fit.py", "exec"), known)
    return known["model"], known["trainer"]


def test_own_module_is_annealed_and_gets_free_bits(tmp_path):
    model, trainer = fit(tmp_path)
    assert model.kl_weight.item() == pytest.approx(29 / 500)
    assert model.penalty.epsilon.item() == pytest.approx(0.25)
    assert {"coef/kl_weight", "coef/free_bits"} <= trainer.logged_metrics.keys()
    assert not model.penalty._forward_hooks  # nobody watches it any more


@pytest.mark.parametrize(
    ("remedy", "coefficient"),
    [
        ("Capacity(5.0, gamma=10.0, steps=500)", "capacity"),
        ('Control("pi", target=0.01, ki=0.1)', "weight"),
        ('Control("geco", target=20.0)', "weight"),
    ],
)
def test_own_module_takes_every_remedy_of_the_page(remedy, coefficient, tmp_path):
    assert remedy.partition("(")[0] in FIT
    model, _ = fit(tmp_path, remedies=f"[{remedy}]")
    start = {"capacity": 0.0, "weight": 1.0 if "geco" in remedy else 0.0}[coefficient]
    assert getattr(model.penalty, coefficient).item() != start


CALL = "self.rate_cost(rate)  #"
SILENT = MODULE.replace(CALL, "rate.sum(1).mean()  #")


@pytest.mark.parametrize(
    "remedy", ["KLAnnealing()", "FreeBits()", "Capacity(2.0, steps=5)", 'Control("pi", target=2.0)']
)
def test_a_module_that_never_pays_is_stopped_after_its_first_step(remedy, tmp_path):
    assert SILENT != MODULE
    name = remedy.partition("(")[0]
    message = rf"^{name}: has no effect, MyVAE took a step without a call of self\.rate_cost\(rate\)"
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, SILENT, f"[{remedy}]")


def test_a_controller_of_the_distortion_says_what_it_needs(tmp_path):
    module = MODULE.replace('return {"loss": loss, "distortion": distortion}', "return loss")
    with pytest.raises(ValueError, match=r"^Control: measures the distortion; let the training_step return"):
        fit(tmp_path, module, '[Control("geco", target=20.0)]')
    fit(tmp_path, module, '[Control("pi", target=20.0)]')  # which measures the rate, and needs nothing


def test_the_mixin_stands_on_either_side(tmp_path):
    model, _ = fit(tmp_path, MODULE.replace("(RateCost, LightningModule)", "(LightningModule, RateCost)"))
    assert model.kl_weight.item() == pytest.approx(29 / 500)
