"""The decoder in JavaScript against PyTorch's, for each decoder and each likelihood, in Chromium."""

import numpy as np
import pytest
import torch

from vae_lab.data import Npz
from vae_lab.elbo.likelihoods import Bernoulli
from vae_lab.explorer import export
from vae_lab.explorer.network import Layer, NoForm, layers_of
from vae_lab.explorer.page import asset
from vae_lab.explorer.pixels import to_bytes
from vae_lab.networks import LinearDecoder

POINTS = 100
DECODERS = {
    "linear": ["decoder=linear", "encoder=linear"],
    "diagonal": ["decoder=linear", "encoder=linear", "decoder.diagonal=true", "encoder.diagonal=true"],
    "mlp": ["decoder.hidden=[32,16]"],
    "mlp without hidden layers": ["decoder.hidden=[]"],
    "mlp with skips": ["decoder.hidden=[32,16]", "decoder.skip=true"],
    "conv": ["decoder=conv", "decoder.channels=[8,16]"],
    "conv with skips": ["decoder=conv", "decoder.channels=[8,16]", "decoder.skip=true"],
}
LIKELIHOODS = {
    "bernoulli": [],
    "continuous_bernoulli": [],
    "gaussian": [],
    "gaussian_learned": [],
    "gaussian_optimal": [],
    "discretized_logistic": ["likelihood.levels=17"],
}


def decode(chromium, file, positions):
    """What decoder.js makes of positions with the network in a page: bytes (N, H * W' * K)."""
    chromium.get(file.as_uri())
    script = f"""{asset("decoder.js")}
    const [positions, done] = arguments;
    const scene = JSON.parse(document.getElementById("scene").textContent);
    const answer = (decoder) => Promise.all(positions.map(async (z) => Array.from(await decoder.decode(z))));
    fileDecoder(scene).then(answer).then(done, (error) => done(String(error)));
    """
    return np.array(chromium.execute_async_script(script, positions.tolist()))


def check(chromium, tmp_path, model, scene):
    """Compare 100 random points; the pictures must not all be the same grey."""
    done = export(model, scene, tmp_path / "page.html")
    z = torch.randn(POINTS, model.latent_dim, generator=torch.Generator().manual_seed(0)).to(model.kl_weight)
    expected = to_bytes(model.decode(z), scene.value_range).flatten(1).numpy()
    found = decode(chromium, done.file, z)
    assert np.abs(found - expected).max() <= 2
    assert expected.std(0).max() > 20
    return done


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_decoder_equals_torch(chromium, tmp_path, make, decoder):
    strength = 3.0 if "conv" in decoder else 4.0
    check(chromium, tmp_path, *make("model.latent_dim=3", *DECODERS[decoder], strength=strength))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_each_likelihood_equals_torch(chromium, tmp_path, make, likelihood):
    model, scene = make("model.latent_dim=3", f"likelihood={likelihood}", *LIKELIHOODS[likelihood], strength=4.0)
    check(chromium, tmp_path, model, scene)


def test_colour_images_with_values_beyond_the_unit_range(chromium, tmp_path, make):
    images = np.random.default_rng(0).uniform(-3, 5, (200, 8, 8, 3)).astype("float32")
    np.savez(tmp_path / "colour.npz", images=images)
    parts = ("decoder=conv", "decoder.channels=[8]", "likelihood=gaussian", "model.latent_dim=3")
    check(chromium, tmp_path, *make(*parts, strength=4.0, data=Npz(path=str(tmp_path / "colour.npz"))))


def test_weights_that_float16_cannot_hold_are_kept_as_float32(chromium, tmp_path, make):
    model, scene = make("model.latent_dim=3", strength=3.0)
    with torch.no_grad():
        first, last = model.decoder.net[0], model.decoder.net[-1]
        first.weight.mul_(1e6), first.bias.mul_(1e6)
        last.weight.mul_(1e-6)
    done = check(chromium, tmp_path, model, scene)
    assert done.precision == "float32"


def test_float64_models_are_written(chromium, tmp_path, make):
    model, scene = make("model.latent_dim=3")
    assert check(chromium, tmp_path, model.double(), scene).precision == "float16"


def test_a_person_registers_the_layers_of_an_own_decoder(chromium, tmp_path, make):
    class Doubled(LinearDecoder):
        def forward(self, z):
            return super().forward(2 * z)

    model, scene = make("model.latent_dim=3")
    model.decoder = Doubled((1, 8, 8), latent_dim=3)
    with pytest.raises(NoForm, match="Doubled cannot be written into a page"):
        export(model, scene, tmp_path / "page.html")

    @layers_of.register
    def _(decoder: Doubled) -> list[Layer]:
        return [Layer("linear", 2 * decoder.weight, decoder.bias)]

    check(chromium, tmp_path, model, scene)


def test_an_own_likelihood_is_not_taken_for_its_base(tmp_path, make):
    class Mine(Bernoulli):
        pass

    model, scene = make("model.latent_dim=3")
    model.likelihood = Mine()
    with pytest.raises(NoForm, match="Mine cannot be written into a page"):
        export(model, scene, tmp_path / "page.html")
