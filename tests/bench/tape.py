"""
Records what both sides answer and plays it again without a socket, so that the worker
can be measured alone: one process, one core, every byte of its own work.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import requests

from worker import http

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 256 * 1024
# A poll that found its job still at work: nobody waits when it is played.
AT_WORK = re.compile(rb'"state"\s*:\s*"(UploadComplete|InProgress)"')


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    content: bytes


class Tape:
    """Answers by request line, in the order they came; the last one stays."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], list[Answer]] = defaultdict(list)
        self._played: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def rewind(self) -> None:
        self._played.clear()

    @contextmanager
    def recording(self) -> Iterator[None]:
        send = http.Transport.send

        def record(
            transport: http.Transport, request: requests.PreparedRequest, **how: Any
        ) -> requests.Response:
            # Before the transport puts another origin in the URL.
            line = _line(request)
            answer = send(transport, request, **how)
            # Read whole here; a stream is then read from memory.
            self._keep(line, answer.status_code, answer.headers, answer.content)
            return answer

        http.Transport.send = record  # type: ignore[assignment, method-assign]  # the one place every call goes through
        try:
            yield
        finally:
            http.Transport.send = send  # type: ignore[method-assign]  # as it was

    @contextmanager
    def playing(self) -> Iterator[None]:
        send = http.Transport.send

        def play(
            _: http.Transport, request: requests.PreparedRequest, **how: Any
        ) -> requests.Response:
            del how
            if hasattr(request.body, "read"):
                while request.body.read(CHUNK):
                    pass
            return self._play(request)

        self.rewind()
        http.Transport.send = play  # type: ignore[assignment, method-assign]  # see above
        try:
            yield
        finally:
            http.Transport.send = send  # type: ignore[method-assign]  # as it was

    def _keep(
        self,
        line: tuple[str, str],
        status: int,
        headers: Any,
        content: bytes,
    ) -> None:
        if line[0] == "GET" and AT_WORK.search(content[:2000]):
            return
        # The bytes are kept as they are read, no longer packed.
        kept = {
            name: value
            for name, value in headers.items()
            if name.lower() not in {"content-encoding", "transfer-encoding"}
        }
        with self._lock:
            self._answers[line].append(Answer(status, kept, content))

    def _play(self, request: requests.PreparedRequest) -> requests.Response:
        line = _line(request)
        with self._lock:
            answers = self._answers.get(line)
            if not answers:
                raise AssertionError(f"never asked while recording: {line[0]}")
            place = self._played.get(line, 0)
            self._played[line] = place + 1
        kept = answers[min(place, len(answers) - 1)]
        answer = requests.Response()
        answer.status_code = kept.status
        answer.headers.update(kept.headers)
        answer.url = str(request.url)
        answer.request = request
        answer._content = kept.content
        answer._content_consumed = True  # type: ignore[attr-defined]  # requests' own mark of a body in memory
        return answer


def _line(request: requests.PreparedRequest) -> tuple[str, str]:
    return str(request.method), str(request.url)
