"""Record ids in the vendor's form: a type prefix, a counter and three check letters."""

import re
from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?", re.ASCII)
# Two letters name the instance in a real id; any fixed pair will do here.
_INSTANCE = "5g0"


def checksum(short: str) -> str:
    """The three letters that make a case-sensitive id safe to compare without case."""
    return "".join(_check_letter(short[start : start + 5]) for start in (0, 5, 10))


@lru_cache(maxsize=65_536)
def _check_letter(five: str) -> str:
    bits = 0
    for position, letter in enumerate(five):
        if "A" <= letter <= "Z":
            bits |= 1 << position
    return _CHECK[bits]


def normalise(text: str) -> str | None:
    """Return the 18-character form, or None when this cannot be an id."""
    if not _SHAPE.fullmatch(text):
        return None
    short = text[:15]
    full = short + checksum(short)
    return full if len(text) == 15 or full == text else None


def make(prefix: str, number: int) -> str:
    """
    Build the id of the n-th record of a type.

    The digits are in ASCII order, so ids sort in the order they were given out.
    """
    rest, last = divmod(number, 62)
    high, middle = divmod(rest, 62)
    head, letters = _head(prefix, high)
    tail = _DIGITS[middle] + _DIGITS[last]
    return head + tail + letters + _check_letter(head[10:] + tail)


@lru_cache(maxsize=64)
def _head(prefix: str, number: int) -> tuple[str, str]:
    """The first 13 characters, shared by 3,844 ids, and their check letters."""
    digits = []
    for _ in range(7):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    head = prefix + _INSTANCE + "".join(reversed(digits))
    return head, _check_letter(head[:5]) + _check_letter(head[5:10])


class IdCounter:
    """Gives out ids per prefix; the same calls give the same ids."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, prefix: str) -> str:
        number = self._last.get(prefix, 0) + 1
        self._last[prefix] = number
        return make(prefix, number)
