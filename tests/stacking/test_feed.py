"""What a stack is fed is what each run alone is fed."""

import torch

from vae_lab.stacking.feed import Feed
from vae_lab.stacking.model import StackedModel
from vae_lab.training.assembly import assemble


def test_batches_and_noise_are_those_of_each_run(configs):
    shared = ("data.binarize=dynamic", "data.batch_size=500", "model=info_vae")
    made = [assemble(config) for config in configs(shared, ("seed=3",), ("seed=5",), ("seed=3",))]
    feed = Feed(StackedModel([parts.model for parts in made]), [parts.data for parts in made])
    assert len(feed.data) == 2
    for step in (0, 1, 2, 5):  # two batches are an epoch
        x, noise = feed.batch(step), feed.noise(step)
        for k, parts in enumerate(made):
            order = parts.data.epoch_order(step // 2)
            assert x[k].equal(parts.data.train_batch(step, order).x)
            assert noise[k].equal(parts.model.noise_of_step(step, 500))
    indices = torch.tensor([4, 2])
    assert feed.evaluation_noise(indices, "val")[1].equal(made[1].model.evaluation_noise(indices, "val"))
