"""ONNX and exported programs give what PyTorch gives, at any batch size."""

import pytest
import torch

from vae_lab.exporting.graphs import write_onnx, write_program
from vae_lab.exporting.halves import halves
from vae_lab.training.assembly import assemble

SLOW = pytest.mark.slow
MODELS = {
    "bn_vae": ["model=bn_vae"],
    "conv": ["encoder=conv", "decoder=conv", "likelihood=gaussian_learned", "perceptual=random"],
    "delta_vae": ["model=delta_vae", "model.variant=independent", "likelihood=continuous_bernoulli"],
    "pixelcnn": ["decoder=pixelcnn", "likelihood=discretized_logistic", "likelihood.levels=17"],
}
DEAR = ("delta_vae", "pixelcnn")
every_model = pytest.mark.parametrize(
    "overrides", [pytest.param(given, id=name, marks=[SLOW] * (name in DEAR)) for name, given in MODELS.items()]
)
NEAR = 1e-4
ROWS = 5  # not as many as the halves are traced with


@pytest.fixture
def parts(compose_config, overrides):
    found = assemble(compose_config(*overrides))
    return found.model, halves(found.model, found.data.image_shape), found.data.training_sample(ROWS)


def inputs(half, model, x):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(len(x), model.latent_dim, generator=generator)
    return {name: {"x": x, "z": z}[name] for name in half.inputs}


def expected(half, given):
    with torch.no_grad():
        found = half.module(**given)
    return found if isinstance(found, tuple) else (found,)


@every_model
def test_onnx_gives_what_pytorch_gives(parts, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model, found, x = parts
    for half in found:
        given = inputs(half, model, x)
        session = onnxruntime.InferenceSession(write_onnx(half, tmp_path))
        assert [output.name for output in session.get_outputs()] == list(half.outputs)
        answers = session.run(None, {name: value.numpy() for name, value in given.items()})
        for answer, wanted in zip(answers, expected(half, given), strict=True):
            torch.testing.assert_close(torch.from_numpy(answer), wanted, rtol=NEAR, atol=NEAR)


@pytest.mark.filterwarnings("ignore:The given buffer is not writable:UserWarning")  # torch 2.11, of its own archive
@pytest.mark.parametrize("overrides", [MODELS["conv"]])
def test_programs_give_what_pytorch_gives(parts, tmp_path):
    model, found, x = parts
    for half in found:
        given = inputs(half, model, x)
        program = torch.export.load(write_program(half, tmp_path)).module()
        answers = program(*given.values())
        answers = answers if isinstance(answers, tuple) else (answers,)
        for answer, wanted in zip(answers, expected(half, given), strict=True):
            torch.testing.assert_close(answer, wanted)


@pytest.mark.parametrize("overrides", [MODELS["conv"]])
def test_the_halves_are_those_of_the_model(parts):
    model, (encoder, decoder), x = parts
    z = torch.ones(ROWS, model.latent_dim)
    with torch.no_grad():
        assert encoder.module(x)[0].equal(model.encode(x).mean) and encoder.module(x)[1].equal(model.encode(x).stddev)
        assert decoder.module(z).equal(model.decode(z))


@pytest.mark.parametrize("overrides", [[]])
def test_without_onnx_one_line_says_what_to_install(parts, monkeypatch, tmp_path):
    monkeypatch.setattr("vae_lab.exporting.graphs.NEEDED", ("no_such_package",))
    with pytest.raises(ValueError, match=r"pip install 'vae_lab\[export\]'"):
        write_onnx(parts[1][0], tmp_path)
