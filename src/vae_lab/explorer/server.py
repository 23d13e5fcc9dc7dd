"""The page's server: it answers its own page on this machine, and nobody else.

A message of the page is a number (uint32) and a position z (D float32); the answer is the same number and the picture's
bytes, all little-endian.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketClose, WebSocketDisconnect

from vae_lab.checks import ArgumentError
from vae_lab.explorer.newest import Newest, Worker

ADDRESS = "127.0.0.1"
NAMES = (ADDRESS, "localhost")  # under which a browser of this machine may know it
HTTP_PORT = 80  # which a browser leaves out
NUMBER = struct.Struct("<I")
NOT_UNDERSTOOD = 1007  # the websocket's code for a message that makes no sense
LARGEST_MESSAGE = 2**20  # bytes
PRIVATE = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Decode = Callable[[NDArray[np.float32]], bytes]  # of a position (D,)


class OwnPageOnly:
    """Refuse, by 403, a request for another host, and one that another page makes.

    A page elsewhere can point a name of its own at 127.0.0.1 (DNS rebinding): the ``Host`` it then sends is not ours.
    Browsers let any page open a websocket to anywhere, and say by ``Origin`` which one does.
    """

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in NAMES} | (set(NAMES) if port == HTTP_PORT else set())
        self.origins = {f"http://{host}" for host in self.hosts}

    def allows(self, scope: Scope) -> bool:
        """Whether a request comes from our page; opening the page itself has no ``Origin``."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        own = len(origins) == 1 and origins[0] in self.origins
        opened = scope["type"] == "http" and not origins
        return len(hosts) == 1 and hosts[0] in self.hosts and (own or opened)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self.app
        if not self.allows(scope):
            refused = PlainTextResponse("this server answers its own page only\n", status_code=403)
            app = WebSocketClose() if scope["type"] == "websocket" else refused
        await app(scope, receive, send)


def application(page: str, decode: Decode, latent_dim: int, port: int) -> Starlette:
    """The page at ``/`` and, at ``/decode``, pictures of the positions that it sends."""
    worker = Worker()

    async def show(request: Request) -> Response:
        return HTMLResponse(page, headers=PRIVATE)

    async def answer(socket: WebSocket) -> None:
        await socket.accept()
        newest: Newest[bytes] = Newest()
        answers = asyncio.create_task(send_pictures(socket, newest, worker, decode))
        try:
            await keep_newest(socket, newest, latent_dim)
        finally:
            answers.cancel()

    app = Starlette(routes=[Route("/", show), WebSocketRoute("/decode", answer)])
    app.add_middleware(OwnPageOnly, port=port)
    return app


async def keep_newest(socket: WebSocket, newest: Newest[bytes], latent_dim: int) -> None:
    """Put each message into the slot until the page leaves, or says what makes no sense."""
    while (message := await socket.receive())["type"] == "websocket.receive":
        content = message.get("bytes")
        if content is None or not understood(content, latent_dim):
            await socket.close(NOT_UNDERSTOOD)
            return
        newest.put(content)


def understood(message: bytes, latent_dim: int) -> bool:
    """Whether a message is a number and a finite position of D numbers."""
    if len(message) != NUMBER.size + 4 * latent_dim:
        return False
    return bool(np.isfinite(position(message)).all())


def position(message: bytes) -> NDArray[np.float32]:
    """The position (D,) in a message."""
    return np.frombuffer(message, dtype="<f4", offset=NUMBER.size)


async def send_pictures(socket: WebSocket, newest: Newest[bytes], worker: Worker, decode: Decode) -> None:
    """Answer the newest message, again and again."""
    with suppress(WebSocketDisconnect):
        while True:
            message = await newest.take()
            picture = await worker.run(decode, position(message))
            await socket.send_bytes(message[: NUMBER.size] + picture)


def listening(port: int) -> socket.socket:
    """A socket that listens on a port of this machine only; any free one for 0.

    Raises:
        ArgumentError: when the port is in use, or not for this user.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.bind((ADDRESS, port))
        found.listen()
    except OSError as error:
        found.close()
        raise ArgumentError(
            "port", port, f"cannot be opened ({error.strerror}); leave it out for any free one"
        ) from error
    return found


def server(app: ASGIApp) -> uvicorn.Server:
    """What answers requests, quietly; ``run(sockets=[...])`` goes on until a signal ends it."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,  # pixels of a loopback: packing them only takes time
        timeout_graceful_shutdown=1,  # seconds; an open page is no reason to stay
    )
    return uvicorn.Server(config)
