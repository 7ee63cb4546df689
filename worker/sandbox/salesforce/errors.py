"""
Refusals in the vendor's own codes and words; knows the shapes of error bodies,
nothing of when they apply.

Refused                one row is refused; other rows of the same call go on
└── RequestRefused     the whole request is refused
    └── NotEmulated    the vendor would answer; this sandbox says so with a 501
"""

from collections.abc import Sequence


class Refused(Exception):
    """One row is refused with the vendor's status code."""

    def __init__(
        self,
        code: str,
        message: str,
        fields: Sequence[str] | None = None,
        *,
        status: int = 400,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = fields
        self.status = status
        self.extra: dict[str, object] = {}

    def row_error(self) -> dict[str, object]:
        """The error of one row in Collections: `statusCode`, always with fields."""
        error: dict[str, object] = {
            "statusCode": self.code,
            "message": self.message,
            "fields": list(self.fields or ()),
        }
        return error | self.extra

    def rest_body(self) -> list[dict[str, object]]:
        """The array a plain REST call answers: `errorCode`, fields where known."""
        error: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error | self.extra]

    def bulk_text(self) -> str:
        """The `sf__Error` cell of a bulk result."""
        return f"{self.code}:{self.message}:{','.join(self.fields or ())} --"


class RequestRefused(Refused):
    """The whole request is refused, whatever its other rows say."""


class NotEmulated(RequestRefused):
    """The vendor has this feature and the sandbox has not."""

    def __init__(self, feature: str) -> None:
        super().__init__(
            "NOT_IMPLEMENTED_BY_SANDBOX",
            f"{feature} is not emulated by this sandbox; see docs/sandbox.md",
            status=501,
        )


def not_found(message: str = "The requested resource does not exist") -> RequestRefused:
    return RequestRefused("NOT_FOUND", message, status=404)


def session_refused() -> RequestRefused:
    return RequestRefused(
        "INVALID_SESSION_ID", "Session expired or invalid", status=401
    )


def unknown_type(name: str) -> RequestRefused:
    return RequestRefused(
        "INVALID_TYPE", f"sObject type '{name}' is not supported.", status=400
    )


def unknown_field(field: str, type_name: str) -> RequestRefused:
    return RequestRefused(
        "INVALID_FIELD", f"No such column '{field}' on sobject of type {type_name}"
    )


def wrong_json(kind: str, found: str, value: object = "") -> RequestRefused:
    """What the vendor's deserialiser says of a value of another JSON type."""
    shown = f" value {value}" if value != "" else " value"
    return RequestRefused(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {found}{shown} or request may "
        "be missing a required field at [line:1, column:1]",
    )


def entity_is_deleted(*, status: int = 404) -> Refused:
    return Refused("ENTITY_IS_DELETED", "entity is deleted", (), status=status)


def invalid_cross_reference(fields: Sequence[str] = ()) -> Refused:
    return Refused(
        "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields, status=404
    )


def malformed_id(text: str) -> Refused:
    return Refused("MALFORMED_ID", f"malformed id {text}", ("Id",))


def required_missing(names: Sequence[str]) -> Refused:
    return Refused(
        "REQUIRED_FIELD_MISSING",
        f"Required fields are missing: [{', '.join(names)}]",
        tuple(names),
    )


def not_writable(names: Sequence[str]) -> Refused:
    return Refused(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: {', '.join(names)}. Please check the "
        "security settings of this field and verify that it is read/write for your "
        "profile or permission set.",
        tuple(names),
    )


def no_access(message: str = "insufficient access rights on object id") -> Refused:
    return Refused("INSUFFICIENT_ACCESS_OR_READONLY", message, (), status=403)
