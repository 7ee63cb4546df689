"""Record ids in the vendor's form: a type prefix, a counter and three check letters."""

import re

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[A-Za-z0-9]{15}(?:[A-Z0-5]{3})?", re.ASCII)
# Two letters name the instance in a real id; any fixed pair will do here.
_INSTANCE = "5g0"


def checksum(short: str) -> str:
    """The three letters that make a case-sensitive id safe to compare without case."""
    letters = []
    for start in (0, 5, 10):
        bits = 0
        for position in range(5):
            if "A" <= short[start + position] <= "Z":
                bits |= 1 << position
        letters.append(_CHECK[bits])
    return "".join(letters)


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
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    short = prefix + _INSTANCE + "".join(reversed(digits))
    return short + checksum(short)


class IdCounter:
    """Gives out ids per prefix; the same calls give the same ids."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, prefix: str) -> str:
        number = self._last.get(prefix, 0) + 1
        self._last[prefix] = number
        return make(prefix, number)
