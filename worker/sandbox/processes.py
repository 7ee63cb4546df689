"""
Runs both sandboxes until told to stop, each in a process of its own: their own GIL
keeps what is measured against them honest. Knows processes; knows no HTTP.
"""

from __future__ import annotations

import base64
import gc
import os
import signal
import threading
from contextlib import contextmanager, suppress
from hashlib import sha256
from multiprocessing import get_context
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

AURORA = "aurora"
SALESFORCE = "salesforce"


class SandboxFailed(RuntimeError):
    """A sandbox could not start, or ended by itself."""


class Options(NamedTuple):
    """What a sandbox process is told; plain values, because they travel."""

    kind: str
    port: int
    members: int
    seed: int
    latency_ms: float


def run_sandboxes(  # noqa: PLR0913 -- the switches of one command
    *,
    aurora_port: int = 0,
    salesforce_port: int = 0,
    members: int = 500,
    threads: int = 0,  # noqa: ARG001 -- part of the contract; no thread is invented yet
    seed: int = 1,
    latency_ms: float = 0,
    on_ready: Callable[[dict[str, Any]], None],
) -> None:
    """Serve both until SIGINT or SIGTERM; `on_ready` gets the ready line's object."""
    children = [
        _Child(Options(AURORA, aurora_port, members, seed, latency_ms)),
        _Child(Options(SALESFORCE, salesforce_port, members, seed, latency_ms)),
    ]
    try:
        with _signals() as told:
            aurora, salesforce = (child.ready(told) for child in children)
            on_ready(ready_line(aurora, salesforce, seed))
            ended = wait([told, *(child.sentinel for child in children)])
        if told not in ended:
            raise SandboxFailed("a sandbox ended by itself")
    except _Told:
        return
    finally:
        for child in children:
            child.stop()


def ready_line(
    aurora: dict[str, str], salesforce: dict[str, str], seed: int
) -> dict[str, Any]:
    """Both credentials, and the environment that points a worker at the sandboxes."""
    # The same seed gives the same key: a database kept from before stays readable.
    key = base64.urlsafe_b64encode(sha256(f"sandbox:{seed}".encode()).digest())
    env = {
        "SYNC_AURORA__COMMUNITY": aurora.get("tenant", "demo"),
        "SYNC_AURORA__BASE_URL": aurora["base_url"],
        "SYNC_AURORA__AUTH": "session",
        "SYNC_AURORA__USERNAME": aurora["username"],
        "SYNC_AURORA__PASSWORD": aurora["password"],
        "SYNC_AURORA__CLIENT_ID": aurora["client_id"],
        "SYNC_AURORA__CLIENT_SECRET": aurora["client_secret"],
        "SYNC_AURORA__REDIRECT_URI": aurora["redirect_uri"],
        "SYNC_AURORA__REQUESTS_PER_SECOND": "200",
        "SYNC_SALESFORCE__AUTH": "client_credentials",
        "SYNC_SALESFORCE__LOGIN_URL": salesforce["instance_url"],
        "SYNC_SALESFORCE__CLIENT_ID": salesforce["client_id"],
        "SYNC_SALESFORCE__CLIENT_SECRET": salesforce["client_secret"],
        "SYNC_SALESFORCE__USERNAME": salesforce["username"],
        "SYNC_SALESFORCE__PASSWORD": salesforce["password"],
        "SYNC_SALESFORCE__SECURITY_TOKEN": salesforce["security_token"],
        "SYNC_SALESFORCE__API_VERSION": salesforce["api_version"],
        "SYNC_SECRET_KEY": key.decode(),
        "SYNC_ADMIN__TOKEN": sha256(f"admin:{seed}".encode()).hexdigest()[:32],
    }
    return {"aurora": aurora, "salesforce": salesforce, "env": env}


class _Told(Exception):
    """Not an error: a signal came while the sandboxes were starting."""


class _Child:
    """A sandbox's process; it lives as long as our end of the pipe is open."""

    def __init__(self, options: Options) -> None:
        context = get_context("spawn")
        self._kind = options.kind
        self._pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_serve, args=(options, theirs), name=f"{options.kind}-sandbox"
        )
        self._process.start()
        theirs.close()
        self.sentinel = self._process.sentinel

    def ready(self, told: Connection) -> dict[str, str]:
        """Wait for the credentials; they come once the sandbox answers."""
        if told in wait([self._pipe, told]):
            raise _Told
        try:
            message: dict[str, Any] = self._pipe.recv()
        except EOFError as error:
            raise SandboxFailed(f"the {self._kind} sandbox did not start") from error
        if "problem" in message:
            raise SandboxFailed(f"the {self._kind} sandbox: {message['problem']}")
        return message

    def stop(self) -> None:
        self._pipe.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def _signals() -> Iterator[Connection]:
    """A connection that becomes readable when we are told to stop."""
    reader, writer = get_context("spawn").Pipe(duplex=False)
    previous = {}
    # Only a main thread hears signals; elsewhere the callback's exception ends the run.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, lambda *_: writer.send(None))
    try:
        yield reader
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _serve(options: Options, pipe: Connection) -> None:
    """A child's whole life: build, serve, end when the parent does."""
    from worker.sandbox.server import Server, base_url, listen  # noqa: PLC0415 -- the server offers run_sandboxes, which is here

    # Ctrl-C reaches the whole group; the parent decides, and closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        listener = listen(options.port)
    except OSError as error:
        pipe.send({"problem": f"port {options.port}: {os.strerror(error.errno or 0)}"})
        return
    address = base_url(listener)
    sandbox = _aurora(options) if options.kind == AURORA else _salesforce(options)
    server = Server(sandbox.app)
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    # What was built stays: no later collection needs to walk it.
    gc.collect()
    gc.freeze()

    def announce_and_watch() -> None:
        server.ready.wait()
        # The parent never answers: its end closes when it stops us, or is gone itself.
        with suppress(EOFError, OSError):
            pipe.send(sandbox.credentials(address))
            pipe.recv()
        server.stop()

    threading.Thread(target=announce_and_watch, daemon=True).start()
    server.run(sockets=[listener])


# Imported where they are needed: a child pays for its own vendor only.
def _aurora(options: Options) -> Any:  # noqa: ANN401 -- either sandbox
    from worker.sandbox.aurora import AuroraSandbox  # noqa: PLC0415 -- see above

    return AuroraSandbox(
        seed=options.seed, members=options.members, latency_ms=options.latency_ms
    )


def _salesforce(options: Options) -> Any:  # noqa: ANN401 -- either sandbox
    from worker.sandbox import scenery  # noqa: PLC0415 -- see above
    from worker.sandbox.salesforce import SalesforceSandbox  # noqa: PLC0415 -- see above

    sandbox = SalesforceSandbox(seed=options.seed, latency_ms=int(options.latency_ms))
    scenery.furnish(sandbox.org, seed=options.seed, members=options.members)
    return sandbox
