"""
The vendor's refusals by code and text, and no more: handlers write the envelopes.

Refusal                 API v2: an HTTP status, and a code of the vendor's in the body
├── BadQuery            LiQL that cannot be read, or a field that is not known
├── NotAuthorized       203: the caller may not
├── Unauthenticated     the token or session key is not, or no longer, good
├── NotFound
├── TooMany             429, with `Retry-After: 0` as the vendor sends it
├── GatewayFailed       502, an HTML page
└── NotEmulated         501 by name
LegacyRefusal           API v1: HTTP 200 and a code of the vendor's
LoginRefused            the login's HTML page
"""

from __future__ import annotations

# The vendor's number for bad LiQL is not public; a client must not lean on it.
BAD_QUERY_CODE = 604


class Refusal(Exception):
    def __init__(
        self, status: int, code: int, message: str, *, details: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


class BadQuery(Refusal):
    """`reason` is for a debugger only: the vendor does not say what was wrong."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(400, BAD_QUERY_CODE, "Invalid query syntax")
        self.reason = reason


class NotAuthorized(Refusal):
    def __init__(self) -> None:
        super().__init__(403, 203, "You are not authorized to make this request")


class Unauthenticated(Refusal):
    def __init__(self, message: str = "Invalid session key.") -> None:
        super().__init__(401, 301, message)


class NotFound(Refusal):
    def __init__(self, what: str) -> None:
        super().__init__(404, 101, f"{what} does not exist")


class Malformed(Refusal):
    def __init__(self, message: str) -> None:
        super().__init__(400, 100, message)


class TooMany(Refusal):
    def __init__(self) -> None:
        super().__init__(429, 429, "Too many requests")


class GatewayFailed(Exception):
    """The proxy in front gave up; its page is HTML, not an envelope."""


class NotEmulated(Refusal):
    def __init__(self, feature: str) -> None:
        super().__init__(501, 501, f"{feature} is not emulated by this sandbox")


class LegacyRefusal(Exception):
    """API v1 says no inside an answer of HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


INVALID_SESSION = (301, "Invalid session key.")
NOT_PERMITTED = (302, "User authorization failed: you may not see this resource")
NO_SUCH_OBJECT = (101, "The object does not exist")
UNKNOWN_PATH = (501, "Unknown path element at node 'community' and token '{token}'")


class LoginRefused(Exception):
    """The login answers failures with the servlet container's page."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
