"""The posteriors of a split."""

import torch

from vae_lab.config.compose import compose_config
from vae_lab.data import Digits
from vae_lab.latent_space import posteriors
from vae_lab.training.assembly import build_model


def test_they_are_those_of_the_images_in_order():
    data = Digits(eval_batch_size=70)
    model, _ = build_model(compose_config(["model=delta_vae", "model.delta=1", "model.latent_dim=4"]), data.image_shape)
    model.eval()
    found = posteriors(model, data, "test", limit=100)
    batch = data.batch("test", torch.arange(100))
    q = model.encode(batch.x)
    torch.testing.assert_close(found.mean, q.mean)
    torch.testing.assert_close(found.stddev, q.stddev)
    torch.testing.assert_close(found.rate.sum(1), model.prior.rate(q.mean, q.stddev).sum(1))
    assert found.labels.tolist() == batch.labels.tolist()
    assert len(posteriors(model, data, "test").mean) == 300
