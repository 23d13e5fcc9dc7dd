"""The slots of a machine: every device once, shares of the CPU, and what is refused."""

import pytest

from vae_lab.sweep.slots import Machine, Places, Slot, visible_gpus

EIGHT = Machine(gpus=tuple("01234567"), cores=32)


def test_a_cpu_worker_a_core_but_no_more_than_jobs():
    assert Machine(cores=4).slots(jobs=10) == [Slot(threads=1)] * 4
    assert Machine(cores=8).slots(jobs=2) == [Slot(threads=4)] * 2
    assert Machine(cores=8).slots(10, Places(devices=3)) == [Slot(threads=2)] * 3
    assert Machine(cores=2).slots(10, Places(devices=2, jobs_per_device=2)) == [Slot(threads=1)] * 4


def test_each_gpu_is_held_once():
    assert [slot.devices for slot in EIGHT.slots(jobs=99)] == [(name,) for name in "01234567"]
    assert [slot.devices for slot in EIGHT.slots(99, Places(devices=3))] == [("0",), ("1",), ("2",)]
    assert [slot.devices for slot in EIGHT.slots(99, Places(devices=[5, "7"]))] == [("5",), ("7",)]
    assert EIGHT.slots(jobs=99)[0].threads == 4


def test_jobs_that_share_a_gpu_are_spread_over_all_before_any_has_two():
    assert [slot.devices[0] for slot in EIGHT.slots(10, Places(devices=2, jobs_per_device=3))] == list("010101")


def test_a_job_on_several_gpus_has_them_for_itself():
    assert [slot.devices for slot in EIGHT.slots(99, Places(devices=[0, 1, 2, 3, 4], devices_per_job=2))] == [
        ("0", "1"),
        ("2", "3"),
    ]


@pytest.mark.parametrize(
    ("machine", "settings", "message"),
    [
        (EIGHT, {"devices": [8]}, r"devices=\[8\]: must be some of 0, 1"),
        (EIGHT, {"devices": [1, 1]}, r"devices=\[1, 1\]: must be some of"),
        (EIGHT, {"devices": 9}, "devices=9: must be a whole number >= 1 and <= 8"),
        (EIGHT, {"devices_per_job": 9}, "devices_per_job=9: there are 8 devices"),
        (EIGHT, {"devices_per_job": 2, "jobs_per_device": 2}, "jobs_per_device=2: must be 1"),
        (Machine(cores=2), {"devices": [0]}, r"devices=\[0\]: no GPU was found"),
        (Machine(cores=2), {"devices_per_job": 2}, "devices_per_job=2: no GPU was found"),
        (Machine(cores=2), {"devices": 0}, "devices=0: must be a whole number >= 1"),
        (Machine(cores=2), {"devices": "two"}, "devices=two"),
    ],
)
def test_what_does_not_fit_the_machine_is_refused(machine, settings, message):
    with pytest.raises(ValueError, match=message):
        machine.slots(4, Places(**settings))


def test_what_the_environment_hides_is_not_found():
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "3, GPU-8a"}) == ("3", "GPU-8a")
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == ()


def test_the_trainers_accelerator_decides(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert Machine.this("auto").gpus == ("0", "1")
    assert Machine.this("cpu").gpus == ()


def test_a_worker_without_gpus_sees_none():
    assert Slot(threads=3).environment == {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
    }
