"""One call and its answer, free of any web framework; also the shared services."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.writes import Caller, Writer

if TYPE_CHECKING:
    from worker.sandbox.salesforce.services import Services


@dataclass(slots=True)
class Answer:
    """What goes back: a body of bytes, text or anything JSON can hold."""

    status: int = 200
    body: object = None
    media: str = "application/json;charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return self.body.encode()
        return msgspec.json.encode(self.body)


@dataclass
class Call:
    """One request, its path already taken apart."""

    services: "Services"
    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    base_url: str
    params: dict[str, str] = field(default_factory=dict)
    user_id: str = ""
    # Set by composite: its parts are metered as one call.
    is_part: bool = False

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def version(self) -> str:
        return self.params.get("version", "v62.0")

    @cached_property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    def header(self, name: str) -> str:
        return self.headers.get(name, "")

    def json(self) -> object:
        """Decode the body, or refuse it as the vendor's parser does."""
        if not self.body:
            raise RequestRefused(
                "JSON_PARSER_ERROR",
                "The HTTP entity body is required, but this request has no entity "
                "body.",
            )
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RequestRefused(
                "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]"
            ) from None

    def json_object(self) -> dict[str, object]:
        decoded = self.json()
        if not isinstance(decoded, dict):
            raise RequestRefused(
                "JSON_PARSER_ERROR", "Unexpected parameter encountered: START_ARRAY"
            )
        return decoded

    @property
    def caller(self) -> Caller:
        duplicates = self.header("sforce-duplicate-rule-header").replace(" ", "")
        return Caller(
            self.user_id,
            allow_duplicates="allowsave=true" in duplicates.lower(),
            auto_assign=self.header("sforce-auto-assign").lower() != "false",
        )

    @property
    def writer(self) -> Writer:
        return Writer(self.services.org, self.caller)
