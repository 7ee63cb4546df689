"""
Serves an application over plain HTTP on loopback: in a thread for tests, and both
sandboxes in a process each for people and measurements. Knows uvicorn; knows no vendor.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import contextmanager
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.sandbox.processes import run_sandboxes

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

__all__ = ["DROP", "Server", "base_url", "listen", "run_in_thread", "run_sandboxes"]

LOOPBACK = "127.0.0.1"
# An app that finds this extension in its scope may hang up without an answer.
DROP = "sandbox.drop"

Connections = dict[tuple[str, int], asyncio.Transport]


class Server(uvicorn.Server):
    """uvicorn that tells when it is up, and stops at once from another thread."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 -- any ASGI application
        self.ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        connections: Connections = {}
        super().__init__(
            uvicorn.Config(
                _Dropping(app, connections),
                http=_protocol(connections),
                log_config=None,
                access_log=False,
                date_header=False,
                server_header=False,
                lifespan="off",
                ws="none",
                # Longer than a client rests: both closing at once is no wanted fault.
                timeout_keep_alive=75,
            )
        )
        # A thread's failure must not fill a test's output: faults are wanted here.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        # uvicorn's own loop looks ten times a second: a tenth of a second a test.
        if self._stop is not None and not self.should_exit:
            await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # One turn lets the closed connections say so; uvicorn waits a tenth instead.
        await asyncio.sleep(0)
        if self.server_state.tasks:
            await asyncio.wait(list(self.server_state.tasks), timeout=2)
        await asyncio.sleep(0)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Whoever runs the server decides what signals mean.
        yield

    def stop(self) -> None:
        self.should_exit = True
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def run_in_thread(app: Any, *, port: int = 0) -> Iterator[str]:  # noqa: ANN401 -- any ASGI application
    """Serve `app` on loopback while the block runs; yield its base URL."""
    listener = listen(port)
    server = Server(app)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, daemon=True
    )
    thread.start()
    try:
        if not server.ready.wait(timeout=10):
            raise RuntimeError("the sandbox did not start within ten seconds")
        yield base_url(listener)
    finally:
        server.stop()
        thread.join(timeout=10)
        listener.close()


def listen(port: int = 0) -> socket.socket:
    # The protocol is named: asyncio sets TCP_NODELAY only where it is, and without it
    # each answer on a kept connection waits 40 ms for the client's delayed ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener


def base_url(listener: socket.socket) -> str:
    # Asked once at the start and kept by the caller: a closed socket has no name.
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


class _Dropping:
    """Gives the app a way to hang up, and each answer a date if it has none."""

    def __init__(self, app: Any, connections: Connections) -> None:  # noqa: ANN401 -- any ASGI application
        self._app = app
        self._connections = connections

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Any,  # noqa: ANN401 -- ASGI
        send: Any,  # noqa: ANN401 -- ASGI
    ) -> None:
        client = scope.get("client")

        async def drop() -> None:
            transport = self._connections.get(client) if client else None
            if transport is not None:
                transport.abort()
            while (await receive())["type"] != "http.disconnect":
                pass

        async def dated(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if not any(name.lower() == b"date" for name, _ in headers):
                    headers.append((b"date", formatdate(usegmt=True).encode()))
                message = {**message, "headers": headers}
            await send(message)

        scope = {**scope, "extensions": {**(scope.get("extensions") or {}), DROP: drop}}
        await self._app(scope, receive, dated)


def _protocol(connections: Connections) -> type[H11Protocol]:
    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it the same way
            super().connection_made(transport)
            if self.client is not None:
                connections[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.pop(self.client, None)
            super().connection_lost(exc)

    return Protocol
