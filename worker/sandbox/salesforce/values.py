"""
Checks one value against its field and brings it to the form rows hold.

Two doors, JSON and CSV cells, lead to the same rules. Rows hold text, floats and
ints, booleans, dates as ISO text, instants as the vendor's ISO text in UTC, and
18-character ids.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

from worker.sandbox.salesforce.errors import Refused, wrong_json
from worker.sandbox.salesforce.schema import Field, Value

FromJson = Callable[[object], Value]
FromCell = Callable[[str], Value]
Reference = Callable[[Field, str], str]

_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
_ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Most metrics are small: sharing these floats halves the memory of a member's row.
_SMALL = {str(number): float(number) for number in range(2048)}
_JSON_KINDS: dict[type, str] = {
    str: "VALUE_STRING",
    int: "VALUE_NUMBER_INT",
    float: "VALUE_NUMBER_FLOAT",
    dict: "START_OBJECT",
    list: "START_ARRAY",
}
_TRUE = frozenset({"true", "1", "yes", "y", "t"})
_FALSE = frozenset({"false", "0", "no", "n", "f"})


def from_json(field: Field, reference: Reference) -> FromJson:
    """Build the converter of JSON values for one field."""
    parse = from_cell(field, reference)
    accepts = _accepted_json(field)

    def convert(value: object) -> Value:
        if value is None:
            return False if field.type == "boolean" else None
        if type(value) is str:
            return _parse_text(field, parse, value) if value else None
        if type(value) not in accepts:
            raise wrong_json(field.type, _json_kind(value), value)
        if field.type == "boolean":
            return bool(value)
        return _number(field, float(str(value)))

    return convert


def _parse_text(field: Field, parse: FromCell, value: str) -> Value:
    try:
        return parse(value)
    except Refused as refused:
        if refused.code == "INVALID_TYPE_ON_FIELD_IN_RECORD":
            raise wrong_json(field.type, "VALUE_STRING", value) from None
        raise


def _accepted_json(field: Field) -> tuple[type, ...]:
    if field.type == "boolean":
        return (bool,)
    return (int, float) if field.is_number else ()


def _json_kind(value: object) -> str:
    if isinstance(value, bool):
        return "VALUE_TRUE" if value else "VALUE_FALSE"
    return _JSON_KINDS.get(type(value), "VALUE_EMBEDDED_OBJECT")


def from_cell(field: Field, reference: Reference) -> FromCell:
    """Build the converter of non-empty text for one field."""
    if field.type == "boolean":
        return lambda text: _boolean(field, text)
    if field.is_number:
        return _number_parser(field)
    if field.type == "datetime":
        return lambda text: _instant(field, text)
    if field.type == "date":
        return lambda text: _day(field, text)
    if field.type in ("reference", "id"):
        return lambda text: reference(field, text)
    return _text_parser(field)


@dataclass(frozen=True, slots=True)
class Shortcut:
    """
    What needs no converter call: bulk rows are 31 cells, a call is 0.1 µs each.

    Text of at most `fits` letters is stored as it is; `known` cells have their value.
    """

    fits: int = 0
    known: Mapping[str, Value] = dataclasses.field(default_factory=dict)


NO_SHORTCUT = Shortcut()


def shortcut_of(of: Field) -> Shortcut:
    if of.type == "boolean":
        return Shortcut(0, {"true": True, "false": False})
    if of.type == "double" and of.precision - of.scale > 3:
        return Shortcut(0, _SMALL)
    if of.is_text and of.type != "email" and not of.restricted:
        return Shortcut(_surely_fits(of))
    return NO_SHORTCUT


def _surely_fits(of: Field) -> int:
    """Shorter than this, no text can be too long, whatever letters it has."""
    return of.length // 4 if of.length_in_bytes else of.length // 2


def _text_parser(field: Field) -> FromCell:
    if field.type == "email":
        return lambda text: _email(field, text)
    if field.picklist and field.restricted:
        return lambda text: _pick(field, text)
    limit = field.length
    surely_fits = _surely_fits(field)

    def convert(text: str) -> Value:
        size = len(text)
        if size > surely_fits and (size > limit or not text.isascii()):
            _check_length(field, text)
        return None if text.isspace() else text

    return convert


def _check_length(field: Field, text: str) -> None:
    size = len(text.encode("utf-8" if field.length_in_bytes else "utf-16-le"))
    if not field.length_in_bytes:
        size //= 2
    if size > field.length:
        raise Refused(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {text} (max length={field.length})",
            (field.name,),
        )


def _email(field: Field, text: str) -> Value:
    _check_length(field, text)
    if not _EMAIL.fullmatch(text):
        raise Refused(
            "INVALID_EMAIL_ADDRESS",
            f"{field.label}: invalid email address: {text}",
            (field.name,),
        )
    return text


def _pick(field: Field, text: str) -> Value:
    parts = text.split(";") if field.type == "multipicklist" else [text]
    for part in parts:
        if part not in field.picklist:
            raise Refused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {part}",
                (field.name,),
            )
    return text


def _boolean(field: Field, text: str) -> Value:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise _wrong_type(field, text)


def _number_parser(field: Field) -> FromCell:
    whole = field.type in ("int", "long")

    def convert(text: str) -> Value:
        small = _SMALL.get(text)
        if small is not None and not whole and field.precision - field.scale > 3:
            return small
        try:
            return _number(field, float(text))
        except ValueError:
            raise _wrong_type(field, text) from None

    return convert


def _number(field: Field, number: float) -> Value:
    if not math.isfinite(number):
        raise _wrong_type(field, str(number))
    digits = field.digits or field.precision - field.scale
    if abs(number) >= 10**digits:
        raise Refused(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.label}: value outside of valid range on numeric field: {number}",
            (field.name,),
        )
    if field.type in ("int", "long"):
        return int(number)
    return round(number, field.scale)


def _instant(field: Field, text: str) -> Value:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong_type(field, text) from None
    if _ZULU.fullmatch(text):
        return f"{text[:19]}.000+0000"
    if len(text) == 10 and _DAY.fullmatch(text):
        return f"{text}T00:00:00.000+0000"
    if moment.tzinfo is None:
        raise _wrong_type(field, text)
    return f"{moment.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S')}.000+0000"


def _day(field: Field, text: str) -> Value:
    head = text[:10]
    try:
        date.fromisoformat(head)
    except ValueError:
        raise _wrong_type(field, text) from None
    if not _DAY.fullmatch(head):
        raise _wrong_type(field, text)
    return head


def _wrong_type(field: Field, text: str) -> Refused:
    return Refused(
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        f"{field.label}: value not of required type: {text}",
        (field.name,),
    )
