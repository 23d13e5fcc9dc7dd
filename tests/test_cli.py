"""The command line as a person uses it: every mistake is one line with the key, its value and what is allowed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")

MISTAKES = {
    "mistyped key": (["model.bet=1"], "model.bet=1: model=beta_vae has no bet (did you mean beta?); it has"),
    "mistyped top level key": (["sed=1"], "sed=1: no such setting (did you mean seed?)"),
    "mistyped group": (["modell=vae"], "modell=vae: no such setting (did you mean model?)"),
    "mistyped option": (["model=betavae"], "model=betavae: must be one of beta_tcvae, beta_vae, bn_vae"),
    "nearest option": (["logger=wnadb"], "(did you mean wandb?)"),
    "mistyped experiment": (["experiment=colapse_sweep"], "did you mean collapse_sweep?"),
    "beta of the vae": (["model=vae", "model.beta=1"], "model.beta=1: model=vae has no beta; it is a setting of"),
    "epsilon without free bits": (
        ["free_bits.epsilon=1"],
        "a setting of free_bits=dimension or growing or sample or shrinking or total",
    ),
    "negative beta": (["model.beta=-1"], "model.beta=-1: must be a finite number >= 0"),
    "beta in words": (["model.beta=high"], "model.beta=high: must be a finite number >= 0"),
    "infinite beta": (["model.beta=inf"], "model.beta=inf: must be a finite number >= 0"),
    "negative epsilon": (["free_bits=total", "free_bits.epsilon=-0.1"], "free_bits.epsilon=-0.1: must be"),
    "no batch": (["data.batch_size=0"], "data.batch_size=0: must be a whole number >= 1"),
    "half a batch": (["data.batch_size=1.5"], "data.batch_size=1.5: must be a whole number >= 1"),
    "batch too large": (["data.batch_size=1198"], "data.batch_size=1198: must be at most the training set's 1197"),
    "no latents": (["model.latent_dim=0"], "model.latent_dim=0: must be a whole number >= 1"),
    "negative seed": (["seed=-1"], "seed=-1: must be a whole number >= 0"),
    "no steps": (["trainer.max_steps=0"], "trainer.max_steps=0: must be a whole number >= 1"),
    "learning rate": (["optimizer.lr=-1"], "optimizer.lr=-1: must be a finite number >= 0"),
    "unknown argument": (["+model.foo=1"], "model.foo=1: no such setting"),
    "unknown argument of a schedule": (
        ["annealing=linear", "+annealing.cycles=2"],
        "annealing.cycles=2: no such setting",
    ),
    "unknown argument of a controller": (["control=pi", "+control.kd=1"], "control.kd=1: no such setting (did you"),
    "unknown argument of the optimizer": (["+optimizer.lrr=1"], "optimizer.lrr=1: no such setting (did you mean lr?)"),
    "plus too many": (["+model.beta=1"], "model.beta: exists already; write it without the +"),
    "open bracket": (["model.beta=[1"], "must be KEY=VALUE"),
    "steps that do not divide": (["model=delta_vae", "model.steps=3"], "model.steps=3: must divide latent_dim=4"),
    "negative delta": (["model=delta_vae", "model.delta=-1"], "model.delta=-1: must be a finite number > 0"),
    "negative mmd": (["model=info_vae", "model.lambd=0.5"], "model.lambd=0.5: must be a finite number >= 1"),
    "bn of one image": (["model=bn_vae", "data.batch_size=1"], "data.batch_size=1: BNVAE needs at least 2 images"),
    "conv on small images": (
        ["encoder=conv", "encoder.channels=[4,8,16,32]"],
        "encoder.channels=[4, 8, 16, 32]: 4 stages need height and width divisible by 16, the images are 8x8",
    ),
    "no path": (["data=npz"], "data.path: must be given"),
    "no such file": (["data=npz", "data.path=nope.npz"], "data.path=nope.npz: no such file"),
    "no such folder": (["data=image_folder", "data.path=nope"], "data.path=nope: no such folder"),
    "annealing of no steps": (["annealing=linear", "annealing.steps=0"], "annealing.steps=0: must be a whole number"),
    "foreign target": (["model._target_=os.system"], "model._target_=os.system: must lie under vae_lab"),
    "target through a module": (
        ["model._target_=vae_lab.config.build.os.system"],
        "model._target_=vae_lab.config.build.os.system:",
    ),
    "no threads": (["threads=0"], "threads=0: must be a whole number >= 1"),
    "endless seed": (["seed=99999999999999999999"], "seed=99999999999999999999: must be a whole number >= 0 and <="),
    "accumulated steps": (
        ["+trainer.accumulate_grad_batches=2"],
        "trainer.accumulate_grad_batches=2: is not supported",
    ),
    "no device": (["trainer.devices=0"], "trainer.devices=0: must be a whole number >= 1"),
    "an odd batch for two devices": (["trainer=ddp", "data.batch_size=33"], "data.batch_size=33: must be a multiple"),
    "delta too large": (
        ["model=delta_vae", "model.variant=independent", "model.delta=2000"],
        "model.delta=2000: must be a finite number > 0 and <= 120",
    ),
    "two experiments": (["-m", "experiment=smoke,collapse_sweep"], "experiment=smoke,collapse_sweep: one at a time"),
    "no own folder": (["--config-dir", "nowhere"], "--config-dir=nowhere: no such folder"),
    "allow nothing": (["--allow"], "--allow=: must be the name of a Python module"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_one_line(cli, arguments, message):
    outcome = cli(*arguments)
    assert outcome.code == 1
    assert message in outcome.err
    assert outcome.err.startswith("error: ")
    assert len(outcome.err.strip().splitlines()) == 1
    assert "Traceback" not in outcome.err + outcome.out


def save(path: Path, **arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


IMAGES = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
BAD_FILES = {
    "NaN": ({"images": np.where(IMAGES > 0.99, np.nan, IMAGES)}, "images holds NaN or infinite values in"),
    "flat": ({"images": IMAGES.reshape(40, 64)}, "images has shape (40, 64); must be (N,H,W) or (N,H,W,C)"),
    "int64": ({"images": (IMAGES * 255).astype(np.int64)}, "images is int64; must be uint8 (0..255), bool or float"),
    "objects": ({"images": np.array([{}, {}], dtype=object)}, "is no readable .npz file"),
    "other names": ({"pictures": IMAGES}, "holds pictures; needs images under one of: images"),
    "labels": ({"images": IMAGES, "labels": np.zeros(3, int)}, "labels is int64 (3,); must be whole numbers (40,)"),
    "unlike splits": ({"x_train": IMAGES, "x_test": IMAGES[:, :4]}, "the splits differ"),
    "few": ({"images": IMAGES[:9]}, "images holds 9 images; must be at least 10"),
    "few to cut": ({"images": IMAGES[:20]}, "holds 20 images; must be at least 30 to be cut"),
    "out of range": ({"images": IMAGES * 2}, "likelihood=bernoulli: needs pixels in [0, 1], the data reach from"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_arrays_are_refused(cli, tmp_path, arrays, message):
    outcome = cli("data=npz", f"data.path={save(tmp_path / 'a.npz', **arrays)}", "data.batch_size=4")
    assert outcome.code == 1
    assert message in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1


def test_truncated_file_is_refused(cli, tmp_path):
    path = tmp_path / "a.npz"
    save(path, images=IMAGES)
    path.write_bytes(path.read_bytes()[:500])
    outcome = cli("data=npz", f"data.path={path}")
    assert (outcome.code, "is no readable .npz file" in outcome.err) == (1, True)


def test_unreadable_image_is_named(cli, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(10):
        (folder / f"{i}.png").write_bytes(b"no picture")
    outcome = cli("data=image_folder", f"data.path={folder}")
    assert (outcome.code, "0.png: cannot be read as an image" in outcome.err) == (1, True)


def test_missing_data_set_says_what_to_do(cli, tmp_path, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.mnist.download_and_extract_archive", no_network)
    outcome = cli("data=mnist", f"data.root={tmp_path}")
    assert outcome.code == 1
    assert f"put the four .gz files of MNIST into {tmp_path}/MNIST/raw" in outcome.err


def test_sweep_checks_every_value_before_the_first_run(cli, tmp_path):
    outcome = cli("-m", "model.beta=1,2,-1", *SHORT)
    assert outcome.code == 1
    assert outcome.err == "error: model.beta=-1: must be a finite number >= 0"
    assert not list(tmp_path.rglob("result.json"))


def test_sweep_with_a_mistyped_key_runs_nothing(cli, tmp_path):
    outcome = cli("-m", "model.bet=1,2")
    assert (outcome.code, "did you mean beta?" in outcome.err) == (1, True)
    assert not list(tmp_path.rglob("result.json"))


def test_single_run_prints_table_and_next_command(cli, tmp_path):
    outcome = cli(*SHORT)
    assert outcome.code == 0
    for words in ("ELBO", "KL (rate)", "collapse", "a constant mean image has distortion", "next: "):
        assert words in outcome.out
    assert "\x1b" not in outcome.out
    assert "\r" not in outcome.out
    (result,) = tmp_path.glob("outputs/*/result.json")
    assert json.loads(result.read_text())["status"] == "finished"


def test_an_experiment_without_m_says_that_it_has_a_grid(cli):
    outcome = cli("experiment=smoke")
    assert outcome.code == 0, outcome.err
    assert "note: this was one run; the experiment has a grid, which -m sweeps" in outcome.out


def test_experiment_works_without_plus_and_with_overrides_behind_m(cli, tmp_path):
    outcome = cli("experiment=smoke", "-m", "model=vae,beta_vae", "seed=0")
    assert outcome.code == 0, outcome.err
    assert len(list(tmp_path.glob("multirun/*_smoke/*/result.json"))) == 2


def test_experiment_grid_is_left_out_where_the_model_has_no_such_setting(cli, tmp_path):
    outcome = cli("+experiment=collapse_sweep", "-m", "model=info_vae", "data.batch_size=64", *SHORT)
    assert outcome.code == 0, outcome.err
    assert "note: model.beta is swept by the experiment" in outcome.out
    names = [path.parent.name for path in tmp_path.glob("multirun/*/*/result.json")]
    assert len(names) == 4
    assert not any("model.beta" in name for name in names)


def test_mixed_models_leave_the_grid_out_where_it_does_not_apply(cli, tmp_path):
    arguments = ("data.batch_size=64", "model.latent_dim=2", "model=vae,beta_vae", "model.beta=1", *SHORT)
    outcome = cli("+experiment=collapse_sweep", "-m", *(a for a in arguments if a != "model.beta=1"))
    assert outcome.code == 0, outcome.err
    assert len(list(tmp_path.glob("multirun/*/*/result.json"))) == 2 + 6
    assert cli("+experiment=collapse_sweep", "-m", *arguments).code == 1


def test_a_typo_in_an_experiment_s_own_grid_is_refused(cli, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    grid = "hydra: {sweeper: {params: {model.betta: '1,2'}}}"
    (tmp_path / "mine" / "experiment" / "typo.yaml").write_text(f"# @package _global_\n{grid}\n")
    outcome = cli("--config-dir", str(tmp_path / "mine"), "+experiment=typo", "-m", *SHORT)
    assert (outcome.code, "model=beta_vae has no betta (did you mean beta?)" in outcome.err) == (1, True)


def test_a_directory_that_holds_a_sweep_is_not_mixed_with_another(cli, tmp_path):
    assert cli("-m", "seed=0", "hydra.sweep.dir=mine", *SHORT).code == 0
    outcome = cli("-m", "seed=1", "hydra.sweep.dir=mine", *SHORT)
    assert (outcome.code, "hydra.sweep.dir=mine: holds a sweep already" in outcome.err) == (1, True)


def test_what_the_person_wrote_is_never_left_out(cli):
    outcome = cli("+experiment=collapse_sweep", "-m", "model=info_vae", "model.beta=1,2", *SHORT)
    assert (outcome.code, "model=info_vae has no beta" in outcome.err) == (1, True)


def test_divergence_is_a_result_and_the_sweep_goes_on(cli, tmp_path):
    arguments = ("optimizer=sgd", "optimizer.lr=1e-4,1e6", *SHORT)
    outcome = cli("-m", *arguments)
    assert outcome.code == 0, outcome.err
    results = {r["overrides"]["optimizer.lr"]: r for r in map(read, tmp_path.glob("multirun/*/*/result.json"))}
    assert results[1e-4]["status"] == "finished"
    assert results[1e6]["status"] == "diverged"
    assert results[1e6]["reason"] == f"the loss was no longer finite at step {results[1e6]['diverged_step']}"
    assert "1 diverged:" in outcome.out


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_failed_run_is_recorded_and_the_sweep_goes_on(cli, tmp_path, monkeypatch):
    from vae_lab.models import BetaVAE

    forward = BetaVAE.training_step

    def breaks(self, x, batch_idx):
        if float(self.beta) == 2:
            raise RuntimeError("the disk is on fire")
        return forward(self, x, batch_idx)

    monkeypatch.setattr(BetaVAE, "training_step", breaks)
    outcome = cli("-m", "model.beta=1,2,3", *SHORT)
    assert outcome.code == 1
    assert outcome.err.startswith("error: 1 of 3 runs failed: model.beta=2")
    assert "Traceback" not in outcome.err + outcome.out
    results = {r["overrides"]["model.beta"]: r for r in map(read, tmp_path.glob("multirun/*/*/result.json"))}
    assert [results[b]["status"] for b in (1, 2, 3)] == ["finished", "failed", "finished"]
    assert results[2]["reason"] == "RuntimeError: the disk is on fire"
    (log,) = tmp_path.glob("multirun/*/model.beta=2*/run.log")
    assert "the disk is on fire" in log.read_text()


def test_interrupt_is_recorded_and_ends_the_sweep(cli, tmp_path, monkeypatch):
    import signal

    from vae_lab.models import BetaVAE

    step = BetaVAE.training_step

    def interrupted(self, x, batch_idx):
        if float(self.beta) == 2 and batch_idx == 3:
            signal.raise_signal(signal.SIGINT)
        return step(self, x, batch_idx)

    monkeypatch.setattr(BetaVAE, "training_step", interrupted)
    outcome = cli("-m", "model.beta=1,2,3", *SHORT)
    assert outcome.code == 130
    assert "interrupted" in outcome.err
    results = {r["overrides"]["model.beta"]: r for r in map(read, tmp_path.glob("multirun/*/*/result.json"))}
    assert {b: r["status"] for b, r in results.items()} == {1: "finished", 2: "failed"}
    assert results[2]["reason"].startswith("interrupted by Ctrl-C at step ")
    assert list(tmp_path.glob("multirun/*/summary.csv"))


def test_same_command_twice_gives_the_same_figures(cli, tmp_path):
    cli("model=info_vae", "data.binarize=dynamic", *SHORT)
    torch.rand(7)  # the global generator must not matter
    cli("model=info_vae", "data.binarize=dynamic", *SHORT)
    first, second = map(read, tmp_path.glob("outputs/*/result.json"))
    assert first["metrics"] == second["metrics"]
    one, two = (path.read_text() for path in tmp_path.glob("outputs/*/metrics.csv"))
    assert one == two


def test_seeds_differ_and_zero_is_a_seed(cli, tmp_path):
    cli("-m", "seed=0,1", *SHORT)
    results = {r["seed"]: r["metrics"]["test/elbo"] for r in map(read, tmp_path.glob("multirun/*/*/result.json"))}
    assert set(results) == {0, 1}
    assert results[0] != results[1]


def test_a_schedule_that_ends_too_late_is_said_before_training(cli):
    outcome = cli("annealing=linear", *SHORT)
    assert outcome.out.splitlines()[0].startswith(
        "note: annealing: its schedule ends at step 500, after the run, which has 20 steps"
    )


def test_a_sweep_says_it_once(cli):
    outcome = cli("-m", "annealing=constant,linear", "seed=0,1", *SHORT)
    notes = [line for line in outcome.out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].endswith("(so in 2 of 4 runs)")
    assert outcome.out.startswith(notes[0])


def test_the_environment_stays_as_it_was(cli):
    before = dict(os.environ)
    cli("--allow", "my_nets", "seed=-1")
    assert dict(os.environ) == before


COMMANDS = {
    "help": ["-m", "vae_lab", "--help"],
    "help of vae-lab": ["-c", "import sys; sys.argv[1:] = ['--help']; from vae_lab.cli import main; main()"],
    "cfg": ["-m", "vae_lab", "model=info_vae", "--cfg", "job"],
    "cfg of a sweep": ["-m", "vae_lab", "+experiment=smoke", "-m", "--cfg", "job"],
    "diagnose help": ["-m", "vae_lab.diagnose", "--help"],
    "report help": ["-m", "vae_lab.report", "--help"],
    "list": ["-m", "vae_lab.list"],
    "import": ["-c", "import vae_lab"],
    "evaluate help": ["-m", "vae_lab.evaluate", "--help"],
    "theory help": ["-m", "vae_lab.theory", "--help"],
    "preview help": ["-m", "vae_lab.preview", "--help"],
    "probe help": ["-m", "vae_lab.probe", "--help"],
    "cure help": ["-m", "vae_lab.cure", "--help"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_answers_without_importing_torch(command, tmp_path):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *command], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "vae_lab" in imported
    assert not {"torch", "lightning", "wandb", "sklearn"} & imported


def test_list_names_every_group_and_experiment(tmp_path):
    done = subprocess.run([sys.executable, "-m", "vae_lab.list"], capture_output=True, text=True, check=True)
    for word in ("collapse_sweep", "free_bits", "info_vae", "model.beta", "free_bits.epsilon", "data.batch_size"):
        assert word in done.stdout
    assert len(done.stdout.splitlines()) <= 50  # one screen
