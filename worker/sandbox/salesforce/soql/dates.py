"""Named ranges of time (TODAY, LAST_N_DAYS:7, …) as half-open spans of days in UTC."""

from collections.abc import Callable
from datetime import date, timedelta

Span = tuple[date, date]

_DAY = timedelta(days=1)


def span_of(text: str, today: date) -> Span | None:
    """Return the first day and the day after the last; None for other names."""
    name, _, figure = text.partition(":")
    if figure:
        counted = _COUNTED.get(name)
        return None if counted is None else counted(today, int(figure))
    plain = _PLAIN.get(name)
    return None if plain is None else plain(today)


def _week(today: date, weeks: int = 0) -> date:
    """The Sunday that starts a week: the org's locale is en_US."""
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    return sunday + timedelta(weeks=weeks)


def _month(today: date, months: int = 0) -> date:
    years, month = divmod(today.month - 1 + months, 12)
    return date(today.year + years, month + 1, 1)


def _quarter(today: date, quarters: int = 0) -> date:
    first = date(today.year, (today.month - 1) // 3 * 3 + 1, 1)
    return _month(first, 3 * quarters)


def _year(today: date, years: int = 0) -> date:
    return date(today.year + years, 1, 1)


Start = Callable[[date, int], date]


def _one(start: Start, offset: int) -> Callable[[date], Span]:
    return lambda today: (start(today, offset), start(today, offset + 1))


def _last(start: Start) -> Callable[[date, int], Span]:
    return lambda today, count: (start(today, -count), start(today, 0))


def _next(start: Start) -> Callable[[date, int], Span]:
    return lambda today, count: (start(today, 1), start(today, count + 1))


def _ago(start: Start) -> Callable[[date, int], Span]:
    return lambda today, count: (start(today, -count), start(today, 1 - count))


def _days(today: date, days: int = 0) -> date:
    return today + days * _DAY


def _last_days(today: date, count: int) -> Span:
    """The vendor's LAST_N_DAYS reaches to the end of today, unlike its weeks."""
    return today - count * _DAY, today + _DAY


_STARTS: dict[str, Start] = {
    "WEEK": _week,
    "MONTH": _month,
    "QUARTER": _quarter,
    "YEAR": _year,
}
_PLAIN: dict[str, Callable[[date], Span]] = {
    "YESTERDAY": _one(_days, -1),
    "TODAY": _one(_days, 0),
    "TOMORROW": _one(_days, 1),
    "LAST_90_DAYS": lambda today: _last_days(today, 90),
    "NEXT_90_DAYS": lambda today: _next(_days)(today, 90),
}
_COUNTED: dict[str, Callable[[date, int], Span]] = {
    "LAST_N_DAYS": _last_days,
    "NEXT_N_DAYS": _next(_days),
    "N_DAYS_AGO": _ago(_days),
}
for _name, _start in _STARTS.items():
    _PLAIN[f"LAST_{_name}"] = _one(_start, -1)
    _PLAIN[f"THIS_{_name}"] = _one(_start, 0)
    _PLAIN[f"NEXT_{_name}"] = _one(_start, 1)
    _COUNTED[f"LAST_N_{_name}S"] = _last(_start)
    _COUNTED[f"NEXT_N_{_name}S"] = _next(_start)
    _COUNTED[f"N_{_name}S_AGO"] = _ago(_start)
