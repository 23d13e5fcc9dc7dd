"""How a command ends, seen from outside: signals, pipes that close, terminals without Greek."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vae_lab.checks import Interrupted, printable
from vae_lab.endings import endings

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "trainer.log_every_n_steps=5", "metrics.test.nll.k=2")
ENDLESS = ("trainer.max_steps=1000000", *SHORT[1:])


def start(*arguments, cwd, encoding="utf-8"):
    """A command in a process of its own."""
    command = [sys.executable, "-m", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": encoding}
    return subprocess.Popen(command, cwd=cwd, env=os.environ | {"PYTHONIOENCODING": encoding}, **pipes)


def wait_for(condition, process):
    """Wait until a process has come that far."""
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.1)


def results(folder):
    return [json.loads(file.read_text()) for file in sorted(Path(folder).rglob("result.json"))]


@pytest.mark.parametrize(("number", "words"), [(15, "terminated"), (1, "terminated"), (2, "interrupted")])
def test_a_signal_ends_a_run_with_a_true_record(tmp_path, number, words):
    process = start("vae_lab", *ENDLESS, cwd=tmp_path)
    wait_for(lambda: list(tmp_path.rglob("metrics.csv")), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.startswith(words)
    assert len(err.splitlines()) == 1
    (result,) = results(tmp_path)
    assert result["status"] == "failed"
    assert result["reason"].startswith("interrupted by ")
    assert result["ended"]


TIDY = """
import atexit, sys
from vae_lab.endings import at_once

class Freed:
    def __del__(self):
        print("freed", flush=True)

kept = Freed()
atexit.register(print, "registered")
with at_once():
    sys.exit({})
"""


@pytest.mark.parametrize(
    ("code", "said"),
    {
        "a signal": (130, "registered\n"),
        "a mistake": (1, "registered\nfreed\n"),
        "words": ("'no'", "registered\nfreed\n"),
    }.values(),
)
def test_a_command_that_a_signal_ended_does_not_take_python_down(code, said):
    done = subprocess.run([sys.executable, "-c", TIDY.format(code)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1 if code == "'no'" else code, said)


def test_sigterm_ends_a_sweep_with_what_there_is(tmp_path):
    process = start("vae_lab", "-m", "trainer.max_steps=20,1000000", "seed=0,1", *SHORT[1:], cwd=tmp_path)
    wait_for(lambda: len(list(tmp_path.rglob("metrics.csv"))) == 3, process)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (143, "terminated; what had finished is kept\n")
    assert sorted(result["status"] for result in results(tmp_path)) == ["failed", "finished", "finished"]
    assert "1 of 4 runs have not started" in out
    assert list(tmp_path.rglob("summary.csv"))


def test_sigint_ends_an_evaluation_with_130(trained, tmp_path):
    process = start("vae_lab.evaluate", f"run={trained}", "k=1000000", cwd=tmp_path)
    time.sleep(0.5)
    wait_for(lambda: maps_torch(process.pid), process)
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err, out) == (130, "interrupted; what had finished is kept\n", "")


def maps_torch(pid):
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()


def test_a_signal_that_is_ignored_stays_so(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with endings():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (1, 2, 15)]
    with pytest.raises(SystemExit), endings():
        raise Interrupted("by SIGTERM", 15)
    assert [signal.getsignal(number) for number in (1, 2, 15)] == before


def test_a_reader_that_leaves_makes_no_run_fail(tmp_path):
    process = start("vae_lab", "-m", "seed=0,1", *SHORT, cwd=tmp_path)
    assert process.stdout.readline().startswith("2 runs in ")
    process.stdout.close()
    with process.stderr as err:
        assert (err.read(), process.wait()) == ("", 0)
    assert [result["status"] for result in results(tmp_path)] == ["finished", "finished"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_greek_makes_no_run_fail(tmp_path, encoding):
    process = start("vae_lab", "annealing=capacity", *SHORT, cwd=tmp_path, encoding=encoding)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "capacity" in out
    process = start("vae_lab.list", cwd=tmp_path, encoding=encoding)
    out, _ = process.communicate(timeout=60)
    assert "?, the weight of the KL" in out


def test_messages_hold_no_control_characters(cli):
    outcome = cli("model=\x1b[2J\u202eeav")
    assert outcome.code == 1
    assert "\\x1b[2J\\u202eeav" in outcome.err
    assert outcome.err.isprintable()
    assert printable("β = 4 ± 1") == "β = 4 ± 1"


@pytest.mark.parametrize("hook", ["training_step", "validation_step", "test_step"])
def test_a_signal_that_a_library_swallows_ends_a_run_all_the_same(cli, tmp_path, monkeypatch, hook):
    from vae_lab.models import VAE

    step, calls = getattr(VAE, hook), []

    def swallows(self, batch, i):
        calls.append(i)
        if len(calls) == 1:
            with suppress(BaseException):
                signal.raise_signal(signal.SIGTERM)
        return step(self, batch, i)

    monkeypatch.setattr(VAE, hook, swallows)
    outcome = cli(
        "hydra.run.dir=one", "data.eval_batch_size=100", *ENDLESS[:1] if hook != "test_step" else (), *SHORT[1:]
    )
    assert (outcome.code, len(calls)) == (143, 1)
    assert results(tmp_path)[0]["reason"].startswith("interrupted by SIGTERM")


def test_a_second_signal_ends_at_once(tmp_path):
    code = (
        "import signal, time\nfrom vae_lab.endings import endings\n"
        "with endings():\n    try:\n        print('ready', flush=True); time.sleep(60)\n"
        "    finally:\n        print('unwinding', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "unwinding\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM
