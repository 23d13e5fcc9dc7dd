"""The training of a stack: the Trainer's loop, for many runs of one form at once."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

import torch
from lightning.pytorch import Trainer
from torch import Tensor
from torch.func import vmap

from vae_lab.callbacks.checkpoints import MOST_SECONDS
from vae_lab.callbacks.intervals import is_logged
from vae_lab.callbacks.nonfinite_loss import first_nonfinite
from vae_lab.callbacks.training_curves import figures
from vae_lab.endings import heed, heeding
from vae_lab.models import Output
from vae_lab.runs.lock import holding
from vae_lab.stacking.checkpoint import content_of, loops_of
from vae_lab.stacking.feed import Feed
from vae_lab.stacking.job import Job, Run, recorded
from vae_lab.stacking.model import StackedModel, row_of
from vae_lab.stacking.optimizer import neighbours, slabs
from vae_lab.stacking.trial import trial, verdict
from vae_lab.stacking.validation import SPLIT, validate
from vae_lab.training.assembly import assemble
from vae_lab.training.fitting import prepare
from vae_lab.training.resume import find_start
from vae_lab.training.trainer import TORCH_THREADS, lengths, make_trainer

Progress = Callable[[int, int], None]  # steps done, steps in all


def train(runs: Sequence[Run], progress: Progress = lambda done, steps: None, always: bool = True) -> str:
    """Bring runs of one form to their last step, each as a run of its own would have come there.

    Curves and checkpoints are in their directories then. The figures of the test split are not: a run that is executed
    from there has nothing left to train. A run that diverges is recorded as such, and the others go on.

    Args:
        runs: of one form, that stand at the same step.
        progress: called after each step with the steps done, and the steps in all.
        always: whether they are trained even where a trial says that one by one they are as fast.

    Returns:
        Why nothing was trained; empty where it was.

    Raises:
        Interrupted: when a signal ended it; the runs go on from their last checkpoints.
        Exception: whatever broke; recorded in each run as ``failed`` before it goes on.
    """
    prepare()
    torch.set_num_threads(runs[0].config.get("threads") or TORCH_THREADS)
    with ExitStack() as held:
        for run in runs:
            run.directory.mkdir(parents=True, exist_ok=True)
            held.enter_context(holding(run.directory))
        training = Training([job_of(run, 1 / len(runs)) for run in runs])
        with heeding():
            if not always and (reason := training.pays()):
                return reason
            training.run(progress)
    return ""


def job_of(run: Run, share: float) -> Job:
    """A run as a member of a stack, from where its directory stands."""
    return Job(run, find_start(run.directory, run.config), assemble(run.config), share)


class Training:
    """Jobs of one form, and the one model, optimizer and stream of batches that train them."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = [jobs[k] for k in neighbours([job.model for job in jobs])]
        config, data = self.jobs[0].run.config, self.jobs[0].parts.data
        whole = {**config, "trainer": config["trainer"] | lengths(config, data)}
        self.trainer: Trainer = make_trainer(whole, logger=False, enable_progress_bar=False)
        self.device = self.trainer.strategy.root_device
        for job in self.jobs:
            self.trainer.precision_plugin.convert_module(job.model).to(self.device).train()
        self.stack = StackedModel([job.model for job in self.jobs])
        self.slabs = slabs(self.stack, self.steps, self.trainer.gradient_clip_val)
        self.feed = Feed(self.stack, [job.parts.data for job in self.jobs])
        self.first_bad = torch.full((len(self.jobs),), torch.inf, device=self.device)
        self.start = self.jobs[0].start.step

    @property
    def steps(self) -> int:
        """The length of the runs."""
        return int(self.trainer.max_steps)

    @property
    def live(self) -> Iterator[tuple[int, Job]]:
        """The jobs that go on, with their rows."""
        return ((k, job) for k, job in enumerate(self.jobs) if not job.ended)

    def pays(self) -> str:
        """Why it does not pay to train the jobs together, found out by trying; empty where it does."""
        first = self.jobs[0]
        tried = trial(self.stack, self.feed, self.start, first.run.config, first.parts.data)
        return verdict(*tried, len(self.jobs))

    def run(self, progress: Progress) -> None:
        """Train from where the jobs stand to the last step."""
        with recorded(self.jobs):
            for job in self.jobs:
                job.begin()
            self.take_up()
            self.written = time.monotonic()
            for step in range(self.start, self.steps):
                heed()
                self.step(step)
                progress(step + 1, self.steps)
                if not any(self.live):
                    return

    def take_up(self) -> None:
        """Load the checkpoints from which the jobs go on."""
        contents = [content for job in self.jobs if (content := job.take_up())]
        if not contents:
            return
        for slab in self.slabs:
            slab.load(contents[slab.rows])
        bad = [content["callbacks"]["NonFiniteLoss"]["first_bad"] for content in contents]
        self.first_bad = torch.tensor(bad, device=self.device)

    def step(self, step: int) -> None:
        """One optimizer step of all jobs, and what the Trainer's callbacks would do around it."""
        done = step + 1
        for _, job in self.live:
            job.move(step)
        if time.monotonic() - self.written > MOST_SECONDS:
            self.save(step)
        coefficients = {k: job.coefficients() for k, job in self.live} if is_logged(self.trainer, step) else {}
        output = self.train_once(step)
        self.first_bad = first_nonfinite(self.first_bad, output.loss.detach(), done)
        for k, job in self.live:
            if job.observers:
                job.observe(row_of(output, k))
        if coefficients:
            self.drop_diverged()
            self.log(step, coefficients, output)
        if done % self.trainer.val_check_interval == 0 or done == self.steps:
            self.validate(done)

    def train_once(self, step: int) -> Output:
        """The pass of a step, its gradients, and the step itself."""
        for parameter in self.stack.parameters.values():
            parameter.grad = None
        with self.trainer.precision_plugin.forward_context():
            output = self.stack(self.feed.batch(step), self.feed.noise(step))
        output.loss.sum().backward()
        for slab in self.slabs:
            slab.step()
        return output

    def drop_diverged(self) -> None:
        """Record the jobs whose loss is no longer finite; they are left out from here on."""
        found = self.first_bad.tolist()
        for k, job in list(self.live):
            if found[k] != torch.inf:
                job.diverge(int(found[k]))

    def log(self, step: int, coefficients: dict[int, dict[str, float]], output: Output) -> None:
        """Write a row of each job's curves."""
        found: Mapping[str, Tensor] = vmap(figures)(Output(output.loss, output.extra, output.terms))
        rows = {f"train/{name}": value.tolist() for name, value in found.items()}
        for k, job in self.live:
            job.curves.append(step, coefficients[k] | {name: values[k] for name, values in rows.items()} | {"epoch": 0})

    def validate(self, done: int) -> None:
        """Measure the validation split, write the figures, and a checkpoint of each job."""
        self.drop_diverged()
        for _, job in self.live:
            job.move(done)
        with self.trainer.precision_plugin.forward_context():
            found = validate(self.stack, self.feed, self.jobs)
        for k, job in self.live:
            job.curves.append(done - 1, found[k])
        self.save(done, {k: job.checkpoints.judge(done, found[k][f"{SPLIT}/loss"]) for k, job in self.live})

    def save(self, done: int, best: dict[int, bool] | None = None) -> None:
        """Write a checkpoint of each job."""
        bad, interval = self.first_bad.tolist(), int(self.trainer.val_check_interval)
        validations = done // interval + (done == self.steps and done % interval > 0)
        batches = len(self.feed.data[0].eval_cuts(SPLIT))
        for slab in self.slabs:
            loops = loops_of(self.trainer, done, self.steps, validations, batches, slab.schedule is not None)
            for k in range(slab.rows.start, slab.rows.stop):
                if not self.jobs[k].ended:
                    content = content_of(self.jobs[k], slab, k - slab.rows.start, done, bad[k], loops)
                    self.jobs[k].save(content, bool(best and best[k]))
        self.written = time.monotonic()
