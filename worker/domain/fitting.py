"""
Fits values to the org's fields as `describe` tells them, by the policy of each field,
before anything is sent; what was cut or left out is counted, never silent.
"""

from __future__ import annotations

import marshal
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from operator import itemgetter
from typing import NamedTuple

from worker.domain.mapping import FieldRule, Policy
from worker.domain.records import DescribedField, DescribedObject, Member

Scalar = str | int | float | bool | None
Fitter = Callable[[object], Scalar]

# Control characters that XML 1.0 and so the org refuses; tab and line ends stay.
# Half a surrogate pair is no character at all and has no place in UTF-8.
_CONTROLS: dict[int, str | None] = {
    **{code: None for code in range(32) if code not in (9, 10, 13)},
    **dict.fromkeys(range(0xD800, 0xE000), "?"),
}
# The same: translating costs a dictionary look-up a character, finding none nearly
# nothing.
_REFUSED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
# What every org accepts and no more: letters beyond ASCII are refused before the @.
_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
_NUMBER_TYPES = frozenset({"double", "int", "currency", "percent", "long"})
# The org's date/times start in 1700 and end with year 4000.
_FIRST_YEAR, _LAST_YEAR = 1700, 4000


class Unfit(Exception):
    """The value cannot be held and the field's policy is to park the record."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Missing(NamedTuple):
    """A field that the org does not show, or does not let us write."""

    object_name: str
    field: str
    why: str


def missing_fields(
    described: DescribedObject | None, object_name: str, fields: Iterable[str]
) -> list[Missing]:
    """Return every field that cannot be written, with the reason; empty is good."""
    if described is None:
        return [Missing(object_name, "", "the object is not there or not visible")]
    lacking = []
    for name in fields:
        field = described.fields.get(name)
        if field is None:
            lacking.append(Missing(object_name, name, "not there or not visible"))
        elif not field.createable and not field.updateable:
            lacking.append(Missing(object_name, name, "not writable for this user"))
    return lacking


class Fitting:
    """Compiles the mapping against one described object; counts what it changed."""

    def __init__(self, described: DescribedObject) -> None:
        self._described = described
        self.changed: Counter[str] = Counter()

    def fitter(self, rule: FieldRule) -> Fitter:
        """Return the function that fits one field's values. It raises Unfit (park)."""
        field = self._described.fields[rule.field]
        give_up = self._give_up(rule)
        if field.type == "boolean":
            return _boolean
        if field.type == "datetime":
            return _datetime_fitter(give_up)
        if field.type in _NUMBER_TYPES:
            return _number_fitter(field, give_up)
        if field.type == "email":
            return _email_fitter(field, give_up)
        return self._text_fitter(field, rule.policy, give_up)

    def _give_up(self, rule: FieldRule) -> Callable[[], None]:
        def give_up() -> None:
            if rule.policy is Policy.PARK:
                raise Unfit(rule.field)
            self.changed[rule.field] += 1

        return give_up

    def _text_fitter(
        self, field: DescribedField, policy: Policy, give_up: Callable[[], None]
    ) -> Fitter:
        limit = field.length or 255
        half = limit // 2
        clips = policy is Policy.CLIP
        changed = self.changed
        name = field.name

        def fit(value: object) -> Scalar:
            # Lengths count UTF-16 units, so half the limit always fits.
            if type(value) is str and len(value) <= half and value.isprintable():
                return value or None
            if value is None or value == "":
                return None
            text = value if isinstance(value, str) else str(value)
            # Most texts that are not printable only hold line ends.
            if _REFUSED.search(text):
                text = text.translate(_CONTROLS)
            if utf16_length(text) <= limit:
                return text or None
            if not clips:
                give_up()
                return None
            changed[name] += 1
            return clip(text, limit)

        return fit


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def clip(text: str, limit: int) -> str:
    """Cut to `limit` UTF-16 units with an ellipsis, never through a character."""
    kept = text.encode("utf-16-le")[: 2 * (limit - 1)].decode("utf-16-le", "ignore")
    return kept + "…"


def looks_like_email(text: str) -> bool:
    return len(text) <= 80 and _EMAIL.fullmatch(text) is not None


def _boolean(value: object) -> Scalar:
    return bool(value)


def _datetime_fitter(give_up: Callable[[], None]) -> Fitter:
    def fit(value: object) -> Scalar:
        if value is None:
            return None
        if not isinstance(value, datetime) or not (
            _FIRST_YEAR <= value.year < _LAST_YEAR
        ):
            give_up()
            return None
        return value.isoformat(timespec="milliseconds")[:23] + "Z"

    return fit


def _number_fitter(field: DescribedField, give_up: Callable[[], None]) -> Fitter:
    bound = 10 ** (field.precision - field.scale) if field.precision else 10**18
    scale = field.scale

    def fit(value: object) -> Scalar:
        # Most of a row is counts; this line is most of what fitting them costs.
        if type(value) is int and -bound < value < bound:
            return value
        if value is None:
            return None
        if not isinstance(value, int | float) or not -bound < value < bound:
            give_up()
            return None
        return round(value, scale) if isinstance(value, float) else value

    return fit


def _email_fitter(field: DescribedField, give_up: Callable[[], None]) -> Fitter:
    limit = field.length or 80

    def fit(value: object) -> Scalar:
        if value is None or value == "":
            return None
        text = str(value).strip()
        if len(text) > limit or _EMAIL.fullmatch(text) is None:
            give_up()
            return None
        return text

    return fit


class RowBuilder:
    """
    Builds crm rows from members: one list of fitted values in the rules' order.

    `worked_out` gives the sources that start with "=". A row's fingerprint covers
    every value, so that equal fingerprints mean nothing to write.
    """

    def __init__(
        self,
        rules: Sequence[FieldRule],
        fitting: Fitting,
        worked_out: Mapping[str, Callable[[Member], object]],
    ) -> None:
        self.columns = tuple(rule.field for rule in rules)
        self._fitters = [fitting.fitter(rule) for rule in rules]
        # What is worked out stands behind the member's own values.
        names = [*Member._fields, *worked_out]
        self._work_out = tuple(worked_out.values())
        self._pick = itemgetter(*(names.index(rule.source) for rule in rules))

    def row(self, member: Member) -> list[Scalar]:
        """Return the fitted values. Raises Unfit when the record must be parked."""
        values = (*member, *[work_out(member) for work_out in self._work_out])
        fitters = self._fitters
        # Called once per member and field of a run: no lookup inside the loop.
        return [
            fit(value) for fit, value in zip(fitters, self._pick(values), strict=True)
        ]


def fingerprint(row: Sequence[object]) -> bytes:
    """
    Return 16 bytes that differ whenever any value or type in the row does.

    Scalars alone, for these marshal's version 2 writes the same bytes in every Python:
    no references, no interning. Twice as fast as their repr.
    """
    return blake2b(marshal.dumps(list(row), 2), digest_size=16).digest()
