"""The pool: no device is held twice, a worker that dies costs its job only, and a signal leaves nobody behind."""

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections import defaultdict

import pytest

from vae_lab.checks import Interrupted
from vae_lab.sweep.pool import Job, Pool
from vae_lab.sweep.slots import Machine, Places

# a worker whose job's first override says what it does: sleep for so long, exit with a code, kill itself, or wait
FAKE = """
import json, os, signal, sys, time
log = open(sys.argv[1], "a", buffering=1)
for line in sys.stdin:
    job = json.loads(line)
    what, _, value = job["overrides"][0].partition("=")
    def note(event):
        about = dict(event=event, job=job["number"], device=os.environ["CUDA_VISIBLE_DEVICES"], pid=os.getpid())
        print(json.dumps(about | {"time": time.monotonic()}), file=log)
    note("begin")
    print("job", job["number"], flush=True)
    if what == "sleep":
        time.sleep(float(value))
    if what == "exit":
        print("now I break", flush=True)
        os._exit(int(value))
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(60)
    note("end")
    print("\\x1e" + json.dumps({"problem": value if what == "problem" else ""}), flush=True)
"""


@pytest.fixture
def run(tmp_path):
    """Runs jobs on faked devices; gives what was reported, what was printed, and the workers' own log."""
    script, log = tmp_path / "fake.py", tmp_path / "log"
    script.write_text(FAKE)
    log.touch()
    heard: list[str] = []
    reported: list[tuple[int, str]] = []

    def call(orders, devices=("0", "1"), **settings):
        slots = Machine(gpus=devices, cores=2).slots(len(orders), Places(**settings))
        jobs = [Job(i, f"job{i}", [order]) for i, order in enumerate(orders)]
        with Pool(slots, (sys.executable, str(script), str(log))) as pool:
            try:
                pool.run(jobs, lambda job, said: reported.append((job.number, said)) if said else None, heard.append)
            finally:
                call.pids = [worker.process.pid for worker in pool.workers.values()]
                call.left = [pid for pid in call.pids if alive(pid)]  # within the block, where a sweep is reported
        return reported, heard, [json.loads(line) for line in log.read_text().splitlines()]

    call.log = log
    return call


def spans(events):
    """For each device, from when to when each job held it."""
    held = defaultdict(list)
    for event in events:
        if event["event"] == "begin":
            end = next(e for e in events if e["event"] == "end" and e["job"] == event["job"])
            held[event["device"]].append((event["time"], end["time"]))
    return {device: sorted(times) for device, times in held.items()}


def test_uneven_jobs_never_hold_a_device_twice(run):
    durations = [0.3, 0.0, 0.05, 0.0, 0.2, 0.0, 0.1, 0.0, 0.05, 0.0]
    reported, heard, events = run([f"sleep={seconds}" for seconds in durations], devices=("0", "1", "2"))
    assert reported == []
    assert sorted(heard) == sorted(f"job {i}" for i in range(10))
    held = spans(events)
    assert set(held) == {"0", "1", "2"}
    for times in held.values():
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times))
    # three processes for ten jobs: workers are kept, and the long first job did not hold the others up
    assert len({event["pid"] for event in events}) == 3
    assert max(len(times) for times in held.values()) > 3


def test_a_job_on_two_devices_has_both(run):
    _, _, events = run(["sleep=0.01"] * 4, devices=("0", "1", "2", "3"), devices_per_job=2)
    assert set(spans(events)) == {"0,1", "2,3"}


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("exit=3", "its process ended with exit code 3; it last said: job 1 | now I break"),
        ("kill=", "its process was killed by SIGKILL; it last said: job 1"),
    ],
)
def test_a_worker_that_dies_costs_its_job_only_and_is_not_tried_again(run, order, words):
    reported, _, events = run(["sleep=0", order, "sleep=0", "sleep=0"], devices=("0",))
    assert [number for number, _ in reported] == [1]
    assert words in reported[0][1]
    assert [event["job"] for event in events if event["event"] == "begin"] == [0, 1, 2, 3]
    assert [event["job"] for event in events if event["event"] == "end"] == [0, 2, 3]


def test_what_a_job_could_not_say_is_reported(run):
    reported, _, _ = run(["problem=no such part", "sleep=0"])
    assert reported == [(0, "no such part")]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("order", ["sleep=60", "deaf="])
def test_a_signal_ends_all_workers_within_their_grace(run, order, monkeypatch):
    monkeypatch.setattr("vae_lab.sweep.pool.GRACE", 0.5)

    def interrupt(number, frame):
        raise Interrupted

    def when_both_have_begun():
        while len(run.log.read_text().splitlines()) < 2:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        threading.Thread(target=when_both_have_begun, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Interrupted):
            run([order] * 5)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert time.monotonic() - began < 10
    assert not run.left
    begun = [json.loads(line)["job"] for line in run.log.read_text().splitlines()]
    assert sorted(begun) == [0, 1]  # the others never began


def test_lasting_workers_wait_for_another_run(tmp_path):
    script, log = tmp_path / "fake.py", tmp_path / "log"
    script.write_text(FAKE)
    slots = Machine(gpus=("0", "1"), cores=2).slots(2)
    with Pool(slots, (sys.executable, str(script), str(log)), lasting=True) as pool:
        for first in (0, 2):
            pool.run([Job(first + i, "", ["sleep=0.1"]) for i in range(2)], lambda job, said: None, lambda line: None)
        processes = [worker.process for worker in pool.workers.values()]
        assert [process.poll() for process in processes] == [None, None]
    assert len({json.loads(line)["pid"] for line in log.read_text().splitlines()}) == 2
    assert [process.poll() for process in processes] == [0, 0]
