"""The command: what it prints, how it ends, what it refuses."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from vae_lab.console import command
from vae_lab.explore import USAGE, main

SHORT = ("trainer.max_steps=20", "trainer.val_check_interval=10", "metrics.test.nll.k=2")


def start(*arguments, cwd):
    """The command in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "vae_lab.explore", *arguments], cwd=cwd, **pipes)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The command inside this process, in an empty directory: exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["explore", *arguments])
        code = 0
        try:
            command(main, USAGE)
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return (1, out, f"{err}{code}\n") if isinstance(code, str) else (code, out, err)

    return run


def test_it_serves_until_ctrl_c_ends_it(trained, tmp_path):
    process = start(f"run={trained}", cwd=tmp_path)
    said = process.stdout.readline()
    address = re.search(r"http://127\.0\.0\.1:\d+/", said)[0]
    assert "(Ctrl-C ends it)" in said
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert b"BetaVAE on Digits" in answer.read()
    port = int(address.split(":")[2].strip("/"))
    with socket.create_connection(("127.0.0.1", port)) as line:  # an open page keeps it from nothing
        line.sendall(
            f"GET /decode HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert line.recv(4096).startswith(b"HTTP/1.1 101")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "interrupted; what had finished is kept\n")


def test_a_port_in_use_is_one_line(trained, call):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = call(f"run={trained}", f"port={port}")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: port={port}: cannot be opened (Address already in use)")
    assert len(err.splitlines()) == 1


def test_the_file_is_written(trained, tmp_path, call):
    code, out, err = call(f"run={trained}", "file=page.html", "dims=2,0")
    assert (code, err) == (0, "")
    assert f"page: {tmp_path / 'page.html'} (" in out
    assert "weights as float16" in out
    text = (tmp_path / "page.html").read_text()
    assert '"dims":[2,0]' in text
    assert "model.beta=0.5" in text


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("dims=0,9", "dims=0,9: must be dimensions from 0 to 3"),
        ("dims=1,1", "dims=1,1: must be two different dimensions"),
        ("dims=1", "dims=1: must be two different dimensions"),
        ("dims=a,b", "dims=a: must be a whole number"),
        ("port=99999", "port=99999: must be a whole number >= 0 and <= 65535"),
        ("port=-1", "port=-1: must be a whole number"),
        ("open=yes", "open=yes: must be one of true, false"),
        ("split=tset", "split=tset: must be one of train, val, test (did you mean test?)"),
        ("prot=8000", "prot=8000: no such option (did you mean port?)"),
        ("file=nowhere/page.html", "file=nowhere/page.html: cannot be written (No such file or directory)"),
        ("run=nowhere", "run=nowhere: no such directory"),
    ],
)
def test_mistakes_are_one_line(trained, call, argument, message):
    run = [] if argument.startswith("run=") else [f"run={trained}"]
    code, out, err = call(*run, argument)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {message}")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["starlette", "uvicorn", "websockets"])
def test_a_missing_extra_is_one_line_and_the_file_needs_none(trained, call, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    code, _, err = call(f"run={trained}")
    assert code == 1
    assert err == f"error: the page needs {name}: pip install 'vae_lab[explore]'; file=FILE.html needs no more\n"
    assert call(f"run={trained}", "file=page.html")[0] == 0


OWN = """
from vae_lab.networks import MLPDecoder


class Mine(MLPDecoder):
    def forward(self, z):
        return -super().forward(z)
"""


def train(place, *arguments):
    """A run of a few steps in ``place / "run"``."""
    command = [sys.executable, "-m", "vae_lab", *arguments, *SHORT, "hydra.run.dir=run"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)


def test_what_reads_pixels_is_not_written_but_shown(tmp_path, call):
    train(tmp_path, "decoder=pixelcnn", "model.latent_dim=2")
    code, _, err = call("run=run", "file=page.html")
    assert code == 1
    assert err == (
        "error: file=page.html: PixelCNN cannot be written into a page; "
        "open it with its server instead: python -m vae_lab.explore run=run\n"
    )
    assert not (tmp_path / "page.html").exists()


def test_an_own_network_is_shown_and_not_taken_for_its_base(tmp_path, call, monkeypatch):
    (tmp_path / "drawn_nets.py").write_text(OWN)
    (tmp_path / "mine" / "decoder").mkdir(parents=True)
    (tmp_path / "mine" / "decoder" / "mine.yaml").write_text("_target_: drawn_nets.Mine\nhidden: [8]\n")
    train(tmp_path, "--config-dir", "mine", "--allow", "drawn_nets", "decoder=mine")
    code, _, err = call("run=run")
    assert code == 1
    assert "allow a module of your own by --allow NAME" in err
    monkeypatch.syspath_prepend(str(tmp_path))
    code, _, err = call("run=run", "--allow", "drawn_nets", "file=page.html")
    assert code == 1
    assert "Mine cannot be written into a page" in err
    assert "python -m vae_lab.explore --allow=drawn_nets run=run" in err
    process = start("run=run", "--allow", "drawn_nets", cwd=tmp_path)
    assert "http://127.0.0.1:" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
