"""
Structured logs: `noun.past_verb` and key/values, JSON or console, with everything
that looks like a secret or an e-mail address taken out on the way.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

_EMAIL = re.compile(r"[^\s@\"'=<>]+@[^\s@\"'<>]+\.[^\s@\"'<>]+")
_SECRET = re.compile(
    r"(?i)(bearer\s+|li-api-session-key[=:]\s*|00D[A-Za-z0-9]{12,15}!)\S+"
)
_SECRET_KEYS = re.compile(r"(?i)(password|secret|token|authorization|session_key)")


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace secrets and e-mail addresses in every value, however they got there."""
    for key, value in event.items():
        if _SECRET_KEYS.search(key):
            event[key] = "[secret]"
        elif isinstance(value, str):
            event[key] = _EMAIL.sub("[e-mail]", _SECRET.sub(r"\1[secret]", value))
    return event


def configure(*, log_format: str, level: str) -> None:
    """Send structlog and the standard library's loggers to stderr, redacted."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # The first two print URLs with their query, the third a line per plug-in.
    for name in ("urllib3", "httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return found
