"""A process that still runs is told from one that has gone, and from a later one of the same number."""

import subprocess
import sys
from dataclasses import replace

from vae_lab.runs.process import Process, began


def test_this_process_is_there():
    assert not Process.this().gone


def test_a_killed_process_is_gone_before_and_after_its_parent_has_noticed():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    process = replace(Process.this(), pid=child.pid, began=began(child.pid))
    assert not process.gone
    child.kill()
    while began(child.pid) and not process.gone:
        pass
    assert process.gone
    child.wait()
    assert process.gone


def test_a_number_that_was_given_again_is_another_process():
    assert replace(Process.this(), began="another boot/1").gone


def test_of_another_host_nothing_is_claimed():
    assert not Process(pid=2**22 + 1, began="", host="elsewhere").gone
