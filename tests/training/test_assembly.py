"""What cannot train is refused before the first step, in one line that names it."""

import pytest

from vae_lab.checks import ConfigError
from vae_lab.training.assembly import assemble


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["optimizer.lr=fast"], "optimizer.lr=fast: must be a finite number >= 0"),
        (["optimizer=sgd", "optimizer.lr=nan"], "optimizer.lr=nan: must be a finite number >= 0"),
        (["optimizer.lr=inf"], "optimizer.lr=inf: must be a finite number >= 0"),
        (["optimizer.lr=true"], "optimizer.lr=True: must be a finite number >= 0"),
        (["optimizer=sgd", "optimizer.momentum=nan"], "optimizer.momentum=nan: must be a finite number >= 0"),
        (["optimizer=adamw", "optimizer.weight_decay=inf"], "optimizer.weight_decay=inf: must be a finite number >= 0"),
        (["encoder=conv", "encoder.hidden=-1"], "encoder.hidden=-1: must be a whole number >= 1"),
        (["decoder=conv", "decoder.hidden=0"], "decoder.hidden=0: must be a whole number >= 1"),
        (["encoder.hidden=-1"], "encoder.hidden=-1: must be a list such as [256]"),
        (["decoder=conv", "decoder.channels=[]"], "decoder.channels=[]: must name at least one stage"),
        (["model=delta_vae", "model.delta=1e-30"], "model.delta=1e-30: must be at least 2e-12"),
        (["control=pi", "control.high=1e39"], "control.high=1e+39: must lie within ±3.4e+38, as float32 does"),
        (["model.beta=1e39"], "model.beta=1e+39: must lie within ±3.4e+38, as float32 does"),
        (
            ["model=info_vae", "model.estimator=unbiased", "data.eval_batch_size=1"],
            "data.eval_batch_size=1: InfoVAE needs at least 2 images in each batch",
        ),
    ],
)
def test_a_number_that_cannot_be_is_named(overrides, message, compose_config):
    with pytest.raises(ConfigError) as caught:
        assemble(compose_config(*overrides))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("size", "fits"), [(2, True), (299, True), (300, True), (1, False)])
def test_the_unbiased_mmd_needs_pairs_in_each_batch(size, fits, compose_config):
    config = compose_config("model=info_vae", "model.estimator=unbiased", f"data.eval_batch_size={size}")
    if fits:
        assemble(config)
    else:
        with pytest.raises(ConfigError, match="needs at least 2 images in each batch"):
            assemble(config)


def test_bn_vae_may_be_evaluated_image_by_image(compose_config):
    assemble(compose_config("model=bn_vae", "data.eval_batch_size=1"))
