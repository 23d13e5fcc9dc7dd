"""The server answers its own page on this machine, decodes the newest position only, and survives nonsense."""

import asyncio
import socket
import struct
import time

import numpy as np
import pytest
import torch
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from vae_lab.checks import ArgumentError
from vae_lab.explorer.newest import Newest
from vae_lab.explorer.pixels import to_bytes
from vae_lab.explorer.server import listening


def request(port, *headers, path="/"):
    """The head and the body of the answer to a raw request."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall("\r\n".join([f"GET {path} HTTP/1.1", *headers, "Connection: close", "", ""]).encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body.decode()


def upgrade(port, *headers):
    """The status of a raw request for the websocket."""
    key = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    with socket.create_connection(("127.0.0.1", port)) as line:
        lines = ["GET /decode HTTP/1.1", *headers, "Connection: Upgrade", *key, "", ""]
        line.sendall("\r\n".join(lines).encode())
        return line.recv(4096).decode().split()[1]


def own(port, name="127.0.0.1"):
    return f"Host: {name}:{port}", f"Origin: http://{name}:{port}"


FOREIGN_HOSTS = [
    *("evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost.evil.example:{port}"),
    *("127.0.0.1", "127.0.0.1:{other}", "127.0.0.1:{port}.evil.example", "evil@127.0.0.1:{port}", "0.0.0.0:{port}"),
    *("127.0.0.1:{port} ,evil.example", "[::1]:{port}", "127.0.0.2:{port}", "2130706433:{port}", ""),
]
FOREIGN_ORIGINS = [
    *("http://evil.example", "http://127.0.0.1:{other}", "https://127.0.0.1:{port}", "http://127.0.0.1", "null", ""),
    *("http://127.0.0.1:{port}.evil.example", "http://127.0.0.1:{port}/", "file://", "http://localhost.evil.example"),
]


def filled(texts, port):
    return [text.format(port=port, other=port + 1) for text in texts]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_own_page_is_answered(live, name):
    host, origin = own(live.port, name)
    head, body = request(live.port, host)
    assert head.startswith("HTTP/1.1 200")
    assert "BetaVAE on Digits" in body
    assert request(live.port, host, origin)[0].startswith("HTTP/1.1 200")
    assert upgrade(live.port, host, origin) == "101"


def test_foreign_hosts_are_refused(live):
    for host in filled(FOREIGN_HOSTS, live.port):
        head, body = request(live.port, f"Host: {host}")
        assert head.split()[1] in ("403", "400"), host
        assert "BetaVAE" not in body
        assert upgrade(live.port, f"Host: {host}", own(live.port)[1]) in ("403", "400"), host
        assert upgrade(live.port, f"Host: {host}", f"Origin: http://{host}") in ("403", "400"), host


def test_foreign_and_missing_origins_are_refused(live):
    host = own(live.port)[0]
    for origin in filled(FOREIGN_ORIGINS, live.port):
        assert upgrade(live.port, host, f"Origin: {origin}") == "403", origin
        assert request(live.port, host, f"Origin: {origin}")[0].startswith("HTTP/1.1 403"), origin
    assert upgrade(live.port, host) == "403"
    assert upgrade(live.port, host, *own(live.port)[1:], "Origin: http://evil.example") in ("400", "403")
    assert request(live.port, host, "Origin: http://evil.example", path="/nowhere")[0].startswith("HTTP/1.1 403")


def test_it_listens_at_one_address(live):
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", live.port), timeout=2):  # noqa: PT011
        pass


def test_answers_carry_the_policies(live):
    head, body = request(live.port, own(live.port)[0])
    for name in ("X-Frame-Options: DENY", "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer"):
        assert name.lower() in head.lower()
    assert "default-src 'none'; script-src 'sha256-" in body
    assert f"connect-src 'self' ws://127.0.0.1:{live.port} " in body


def ask(served, *messages, answers):
    """Send messages at once; as many answers, or all within half a second for None."""

    async def talk():
        async with connect(f"ws://127.0.0.1:{served.port}/decode", origin=f"http://127.0.0.1:{served.port}") as line:
            for message in messages:
                await line.send(message)
            found = []
            while answers is None or len(found) < answers:
                try:
                    found.append(await asyncio.wait_for(line.recv(), 1.0 if answers is None else 20))
                except TimeoutError:
                    break
            return found

    return asyncio.run(talk())


def message(number, z):
    return struct.pack("<I", number) + np.asarray(z, dtype="<f4").tobytes()


def test_a_picture_is_the_decoded_mean(live):
    z = torch.randn(5)
    (answer,) = ask(live, message(7, z), answers=1)
    assert answer[:4] == struct.pack("<I", 7)
    expected = to_bytes(live.model.decode(z[None]), live.scene.value_range)
    assert answer[4:] == expected.numpy().tobytes()


def test_only_the_newest_position_is_decoded(serve, make):
    model, scene = make("model.latent_dim=5")
    decode, decoded = model.decode, []

    def slow(z):
        decoded.append(z)
        time.sleep(0.05)
        return decode(z)

    model.decode = slow
    served = serve(model, scene)
    positions = [[i / 100] * 5 for i in range(100)]
    answers = ask(served, *(message(i, z) for i, z in enumerate(positions)), answers=None)
    assert len(answers) == len(decoded) <= 10
    assert struct.unpack("<I", answers[-1][:4]) == (99,)
    assert answers[-1][4:] == to_bytes(decode(torch.tensor(positions[-1:])), scene.value_range).numpy().tobytes()


@pytest.mark.parametrize(
    "nonsense", [b"", b"123", b"x" * 25, message(1, [np.nan] * 5), message(1, [np.inf] * 5), "text"]
)
def test_nonsense_closes_its_connection_only(live, nonsense):
    with pytest.raises(ConnectionClosedError, match="1007"):
        ask(live, nonsense, answers=1)
    assert ask(live, message(1, np.zeros(5)), answers=1)


def test_a_huge_message_closes_its_connection_only(live):
    with pytest.raises(ConnectionClosedError):
        ask(live, b"x" * 2**21, answers=1)
    assert ask(live, message(1, np.zeros(5)), answers=1)


def test_a_refused_websocket_names_no_reason(live):
    async def talk():
        async with connect(f"ws://127.0.0.1:{live.port}/decode", origin="http://evil.example"):
            pass

    with pytest.raises(InvalidStatus, match="403"):
        asyncio.run(talk())


def test_a_port_in_use_is_one_line(live):
    with pytest.raises(ArgumentError, match=rf"port={live.port}: cannot be opened \(Address already in use\)"):
        listening(live.port)


def test_a_slot_waits_for_a_value():
    async def talk():
        slot = Newest()
        waiting = asyncio.create_task(slot.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        slot.put(1)
        first = await waiting
        slot.put(2)
        slot.put(3)
        return first, await slot.take()

    assert asyncio.run(talk()) == (1, 3)
