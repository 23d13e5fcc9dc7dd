"""Which runs are trained together, and why others are not."""

import pytest
import torch
from torch import nn

from vae_lab.callbacks import KLAnnealing
from vae_lab.models import BetaVAE
from vae_lab.stacking.form import form_of
from vae_lab.stacking.job import Run
from vae_lab.stacking.memory import bytes_of, most_models
from vae_lab.stacking.obstacles import obstacles
from vae_lab.stacking.optimizer import is_elementwise
from vae_lab.stacking.plan import parts, plan
from vae_lab.stacking.train import Training, job_of
from vae_lab.stacking.trial import trial, verdict
from vae_lab.training.assembly import assemble


def planned(configs, tmp_path, *jobs, shared=(), **options):
    made = configs(shared, *jobs)
    return plan([Run(config, tmp_path / str(i)) for i, config in enumerate(made)], **options)


def test_runs_that_differ_in_numbers_are_one_stack(configs, tmp_path):
    jobs = (
        ("seed=1", "model.beta=4"),
        ("optimizer.lr=0.1", "free_bits.epsilon=2"),
        ("optimizer.lr_decay=cosine",),
        ("annealing=linear", "annealing.steps=7"),
        ("annealing=cyclical",),
    )
    found = planned(configs, tmp_path, *jobs, shared=("free_bits=dimension",))
    assert found.stacks == [[0, 1, 2, 3, 4]]
    assert not found.lines()


@pytest.mark.parametrize(
    "other",
    [
        ("model.latent_dim=8",),
        ("encoder.hidden=[8]",),
        ("data.batch_size=32",),
        ("trainer.max_steps=30",),
        ("model=vae",),
        ("free_bits=total",),
        ("free_bits=adaptive",),
        ("likelihood=gaussian",),
        ("model.distortion_reduction=mean",),
    ],
)
def test_runs_of_another_form_are_another_stack(configs, tmp_path, other):
    found = planned(configs, tmp_path, ("seed=0",), other, ("seed=1",), shared=("free_bits=dimension",))
    assert found.stacks == [[0, 2]]
    assert found.lines() == ["1 run is trained alone: no other run has its shapes"]


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        (("inference=aggressive",), "AggressiveInference: takes part in the steps themselves"),
        (("figures=on",), "figures: are drawn while a run trains"),
        (("logger=tensorboard",), "logger: tensorboard is fed by the Trainer"),
        (("trainer=ddp",), "trainer.devices=2: a stack is trained by one process"),
        (("trainer.precision=bf16-mixed",), "trainer.precision=bf16-mixed: a stack has one precision throughout"),
        (("+trainer.detect_anomaly=true",), "trainer.detect_anomaly=True: is the Trainer's alone"),
    ],
)
def test_what_a_stack_cannot_do_is_said(configs, setting, reason):
    (config,) = configs(setting, ())
    assert next(obstacles(config, assemble(config))) == reason


class OwnStep(BetaVAE):
    """A model that trains in its own way."""

    def training_step(self, batch, batch_idx):
        return super().training_step(batch, batch_idx)


class Watcher(KLAnnealing):
    """A remedy that looks at the Trainer."""

    def on_train_epoch_end(self, trainer, pl_module):
        """Look."""


def test_own_methods_of_a_model_or_a_remedy_are_seen(configs):
    (config,) = configs((), ())
    made = assemble(config)
    made.model.__class__ = OwnStep
    made.remedies.append(Watcher())
    assert list(obstacles(config, made)) == [
        "Watcher: takes part in the steps themselves",
        "OwnStep: has a training_step of its own",
    ]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD", "RMSprop", "NAdam", "Adagrad"])
def test_optimizers_that_treat_each_number_on_its_own(name):
    assert is_elementwise(lambda parameters: getattr(torch.optim, name)(parameters, lr=0.01))


@pytest.mark.parametrize("name", ["Adafactor", "LBFGS"])
def test_optimizers_that_do_not(name):
    assert not is_elementwise(getattr(torch.optim, name))


def test_plain_numbers_are_of_the_form_and_values_of_tensors_are_not():
    class Scaled(nn.Module):
        def __init__(self, scale, shift):
            super().__init__()
            self._scale = scale
            self.register_buffer("shift", torch.tensor(shift))

    assert form_of(Scaled(2.0, 1.0)) == form_of(Scaled(2.0, 3.0))
    assert form_of(Scaled(2.0, 1.0)) != form_of(Scaled(3.0, 1.0))


def test_max_stack_cuts_evenly(configs, tmp_path):
    found = planned(configs, tmp_path, *((f"seed={seed}",) for seed in range(5)), most=3)
    assert found.stacks == [[0, 1, 2], [3, 4]]
    assert parts(range(4), 3) == [[0, 1], [2, 3]]


def test_there_is_a_stack_for_each_worker(configs, tmp_path):
    found = planned(configs, tmp_path, *((f"seed={seed}",) for seed in range(6)), at_once=2)
    assert found.stacks == [[0, 1, 2], [3, 4, 5]]
    two_forms = [(f"seed={seed}", f"model.latent_dim={dim}") for dim in (2, 4) for seed in range(4)]
    assert planned(configs, tmp_path, *two_forms, at_once=2).stacks == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert planned(configs, tmp_path, ("seed=0",), ("seed=1",), at_once=8).stacks == [[0, 1]]


def test_stacks_side_by_side_share_the_memory(configs, tmp_path, monkeypatch):
    monkeypatch.setattr("vae_lab.stacking.plan.most_models", lambda *about: 6)
    seeds = [(f"seed={seed}",) for seed in range(6)]
    assert len(planned(configs, tmp_path, *seeds).stacks) == 1
    assert len(planned(configs, tmp_path, *seeds, at_once=2, sharing=3).stacks) == 3


def test_memory_bounds_a_stack(configs, monkeypatch):
    (config,) = configs((), ())
    made = assemble(config)
    one = bytes_of(made.model, made.data)
    weights = sum(parameter.numel() for parameter in made.model.parameters())
    assert 16 * weights < one < 10_000_000
    monkeypatch.setattr("vae_lab.stacking.memory.free_bytes", lambda device: 9 * one)
    assert most_models(made.model, made.data, torch.device("cpu")) == 4


def test_a_trial_leaves_everything_as_it_was(configs, tmp_path):
    made = configs(("model=bn_vae",), ("seed=0",), ("seed=1",))
    training = Training([job_of(Run(config, tmp_path), 0.5) for config in made])
    before = [{name: tensor.clone() for name, tensor in model.state_dict().items()} for model in training.stack.models]
    stacked, alone = trial(training.stack, training.feed, 0, made[0], training.jobs[0].parts.data)
    assert stacked > 0 and alone > 0
    for model, then in zip(training.stack.models, before, strict=True):
        assert all(tensor.equal(then[name]) for name, tensor in model.state_dict().items())
        assert all(parameter.grad is None for parameter in model.parameters())


def test_a_stack_that_is_slower_does_not_pay():
    assert verdict(stacked=1.0, alone=1.05, count=8)
    assert not verdict(stacked=1.0, alone=1.2, count=8)
