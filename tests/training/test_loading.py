"""Models come back from disk as they were; strange checkpoints are refused and never unpickled."""

import os
import pickle
import shutil

import pytest
import torch

import vae_lab
from vae_lab.checks import ArgumentError
from vae_lab.evaluate import evaluate
from vae_lab.runs.result import Result


def test_checkpoints_hold_tensors_and_primitives(trained):
    for name in ("best", "last", "previous"):
        content = torch.load(trained / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert {"state_dict", "optimizer_states", "vae_lab"} <= content.keys()


def test_load_gives_a_model_that_encodes_decodes_samples_and_reconstructs(trained):
    model = vae_lab.load(trained)
    assert not model.training
    x = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        q = model.encode(x)
        assert q.mean.shape == q.stddev.shape == (5, 4)
        images = model.decode(q.mean)
        assert images.equal(model.reconstruct(x))
        assert model.sample(2).numpy().shape == (2, 1, 8, 8)
        assert images.shape == (5, 1, 8, 8)
        assert 0 <= images.min() <= images.max() <= 1
        assert model.sample(3, seed=1).equal(model.sample(3, seed=1))
        assert not model.sample(3, seed=1).equal(model.sample(3, seed=2))
    assert float(model.beta) == 0.5


def test_load_gives_the_data_with_their_labels(trained):
    from sklearn.datasets import load_digits

    model, data = vae_lab.load(trained, with_data=True)
    assert {name: len(split.images) for name, split in data.splits.items()} == {"train": 1197, "val": 300, "test": 300}
    batch = next(data.eval_stream("test"))
    known = {image.tobytes(): label for image, label in zip(load_digits().data, load_digits().target, strict=True)}
    images = (batch.x * 16).flatten(1).double().numpy()
    assert [known[image.tobytes()] for image in images] == batch.labels.tolist()
    terms = model(batch.x, model.evaluation_noise(batch.indices, "test")).terms
    elbo = -(terms.rate.sum(1) + terms.distortion).mean().item()
    assert elbo == pytest.approx(Result.read(trained).metrics["test/elbo"], rel=1e-5)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("given", [torch.float32, torch.float64, torch.bfloat16])
def test_a_model_of_any_precision_reads_floats_of_any_precision(trained, kind, given):
    model = vae_lab.load(trained).to(kind)
    x = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)).to(given)
    latents = model.encode(x).mean
    assert latents.dtype == model.decode(latents.to(given)).dtype == model.reconstruct(x).dtype == kind
    weights = model.log_weights(x, torch.zeros(2, 3, 4, dtype=given))
    assert weights.shape == (2, 3) and weights.isfinite().all()
    with pytest.raises(RuntimeError):  # whole numbers have no known scale
        model.encode((255 * x).byte())


@pytest.mark.parametrize(
    "path",
    [
        *("state_dict.kl_weight", "vae_lab.image_shape", "vae_lab.config.seed", "vae_lab.config.encoder"),
        *("vae_lab.config.optimizer", "vae_lab.config.metrics", "vae_lab.config.model", "vae_lab.config.data"),
    ],
)
@pytest.mark.parametrize("change", ["lacks", "is a word"])
def test_a_checkpoint_that_lacks_an_entry_is_refused(trained, tmp_path, path, change):
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    *above, name = path.split(".")
    holder = content
    for part in above:
        holder = holder[part]
    if change == "lacks" or name == "seed":
        del holder[name]
    else:
        holder[name] = "word"
    torch.save(content, tmp_path / "damaged.ckpt")
    with pytest.raises(ArgumentError, match=rf"damaged\.ckpt: lacks {path.removeprefix('vae_lab.')}: it is damaged"):
        vae_lab.load(tmp_path / "damaged.ckpt")


@pytest.mark.parametrize("key", ["decoder.net.0.weight", "beta"])
def test_weights_that_lack_an_entry_are_refused(trained, tmp_path, key):
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    del content["state_dict"][key]
    torch.save(content, tmp_path / "damaged.ckpt")
    with pytest.raises(ArgumentError, match="holds the weights of another model"):
        vae_lab.load(tmp_path / "damaged.ckpt")


def test_load_takes_directory_checkpoint_and_latest(trained, monkeypatch, tmp_path):
    target = tmp_path / "outputs" / "run"
    shutil.copytree(trained, target)
    monkeypatch.chdir(tmp_path)
    weights = [
        vae_lab.load(path).decoder.net[0].weight
        for path in ("latest", target, str(target), target / "checkpoints" / "best.ckpt")
    ]
    assert all(weight.equal(weights[0]) for weight in weights)


def test_latest_without_runs_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run=latest: no finished run in multirun/ or outputs/"):
        vae_lab.load("latest")


def test_evaluation_equals_the_figures_of_the_run(trained):
    recorded = Result.read(trained).metrics
    figures = evaluate(trained)
    assert len(figures) > 14
    assert figures == {name: recorded[name] for name in figures}


def test_evaluation_with_another_k_and_split(trained):
    recorded = Result.read(trained).metrics
    assert evaluate(trained, {"k": 300})["test/nll"] < recorded["test/nll"]
    assert "val/elbo" in evaluate(trained, {"k": 0}, split="val")
    few, all_ = (evaluate(trained, {"k": 2, "images": images}) for images in (20, None))
    assert (few["test/nll_images"], all_["test/nll_images"]) == (20, 300)
    with pytest.raises(ValueError, match="split=all: must be one of train, val, test"):
        evaluate(trained, split="all")


def test_truncated_checkpoint_is_refused(trained, tmp_path):
    whole = (trained / "checkpoints" / "best.ckpt").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        file = tmp_path / f"{size}.ckpt"
        file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"\.ckpt: (cannot be read|refused)"):
            vae_lab.load(file)


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("save", [torch.save, lambda content, file: file.write_bytes(pickle.dumps(content))])
def test_a_checkpoint_with_code_is_refused_and_never_run(save, tmp_path):
    trace, file = tmp_path / "trace", tmp_path / "evil.ckpt"
    save({"state_dict": {}, "vae_lab": {"config": Payload(trace)}}, file)
    with pytest.raises(ValueError, match=r"evil\.ckpt: refused"):
        vae_lab.load(file)
    assert not trace.exists()


def test_a_checkpoint_whose_config_names_code_is_refused(trained, tmp_path):
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    content["vae_lab"]["config"]["encoder"] = {"_target_": "os.system", "command": f"touch {tmp_path / 'trace'}"}
    torch.save(content, tmp_path / "evil.ckpt")
    with pytest.raises(ValueError, match=r"encoder\._target_=os\.system: must lie under"):
        vae_lab.load(tmp_path / "evil.ckpt")
    assert not (tmp_path / "trace").exists()


def test_weights_of_another_model_are_refused(trained, tmp_path):
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    content["vae_lab"]["config"]["encoder"]["hidden"] = [7]
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match=r"other\.ckpt: holds the weights of another model"):
        vae_lab.load(tmp_path / "other.ckpt")


def test_a_checkpoint_of_somebody_else_is_refused(tmp_path):
    torch.save({"state_dict": {"w": torch.zeros(1)}}, tmp_path / "theirs.ckpt")
    with pytest.raises(ValueError, match=r"theirs\.ckpt: was not written by vae_lab"):
        vae_lab.load(tmp_path / "theirs.ckpt")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (None, "a checkpoint of vae_lab 0.1.0, which no longer loads"),
        (3, "has checkpoint format 3, this vae_lab loads format 2"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused(trained, tmp_path, number, message):
    content = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)
    del content["vae_lab"]["format"]
    content["vae_lab"] |= {} if number is None else {"format": number}
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(ArgumentError, match=message) as caught:
        vae_lab.load(tmp_path / "other.ckpt")
    assert (caught.value.argument, caught.value.value) == ("path", tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=nowhere"], "error: run=nowhere: no such directory; must be a run directory or latest"),
        (["run=."], "error: run=.: holds no result.json, so it is no run directory"),
        (["rum=latest"], "error: rum=latest: no such option (did you mean run?)"),
        (["run={trained}", "k=many"], "error: k=many: must be a whole number >= 0"),
        (["run={trained}", "split=all"], "error: split=all: must be one of train, val, test"),
        (["run={broken}"], "best.ckpt: cannot be read, truncated or no checkpoint"),
    ],
)
def test_evaluate_answers_mistakes_in_one_line(arguments, message, trained, tmp_path, monkeypatch, capsys):
    import runpy

    broken = tmp_path / "broken"
    shutil.copytree(trained, broken)
    whole = (broken / "checkpoints" / "best.ckpt").read_bytes()
    (broken / "checkpoints" / "best.ckpt").write_bytes(whole[: len(whole) // 2])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["evaluate", *(a.format(trained=trained, broken=broken) for a in arguments)])
    monkeypatch.delitem(__import__("sys").modules, "vae_lab.evaluate", raising=False)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("vae_lab.evaluate", run_name="__main__")
    assert message in str(stop.value.code)
    assert "\n" not in str(stop.value.code)


def test_evaluate_prints_what_the_run_recorded(trained, capsys):
    from vae_lab.console import read_command_line
    from vae_lab.evaluate import main

    main(read_command_line([f"run={trained}"]))
    printed = capsys.readouterr().out
    elbo = Result.read(trained).metrics["test/elbo"]
    assert [line.split()[1:] for line in printed.splitlines() if "test/elbo" in line] == [[f"{elbo:.4f}"] * 2]
