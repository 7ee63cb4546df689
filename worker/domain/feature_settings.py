"""The feature settings of a community: one row, editable while the worker runs."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- part of a public signature
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

# Whole numbers and the range each may take.
RANGES: dict[str, tuple[int, int]] = {
    "sync_interval_minutes": (1, 7 * 24 * 60),
    "full_sync_interval_hours": (1, 31 * 24),
    "api_budget_percent": (1, 100),
    "breaker_percent": (1, 100),
}


@dataclass(frozen=True)
class FeatureSettings:
    """
    What an admin may switch for one community (product rules, section 1).

    user_synchronization: replicate the members at all. sync_interval_minutes: the
    automatic interval. full_sync_interval_hours: how often everything is read, for
    what a delta cannot see. create_new_contact: create a Contact when none has the
    member's e-mail. link_contacts: link the one Contact that has it. contact_fields:
    keep our fields on linked Contacts. api_budget_percent: share of the org's daily
    calls the worker may use. breaker_percent: a run about to delete or unlink more
    than this share of its records stops and asks.
    """

    user_synchronization: bool = True
    sync_interval_minutes: int = 60
    full_sync_interval_hours: int = 24
    create_new_contact: bool = False
    link_contacts: bool = True
    contact_fields: bool = True
    api_budget_percent: int = 80
    breaker_percent: int = 25

    @classmethod
    def from_mapping(cls, stored: Mapping[str, object]) -> Self:
        """Take what is stored; a key of another release is left out, not an error."""
        settings = cls()
        for name in cls.names():
            if name in stored:
                settings = settings.changed(name, stored[name])
        return settings

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in fields(cls))

    def as_dict(self) -> dict[str, bool | int]:
        return asdict(self)

    def changed(self, key: str, value: object) -> Self:
        """
        Return a copy with one setting changed; text as a shell gives it is accepted.

        Raises ValueError naming the key and what it accepts.
        """
        if key not in self.names():
            raise ValueError(f"{key}: unknown; known are {', '.join(self.names())}")
        checked = _number(key, value) if key in RANGES else _switch(key, value)
        # mypy cannot follow a keyword whose name is data.
        return replace(self, **{key: checked})  # type: ignore[arg-type]  # see above


def _switch(key: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"on": True, "true": True, "yes": True, "1": True}
    words |= {"off": False, "false": False, "no": False, "0": False}
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ValueError(f"{key}: give on or off")


def _number(key: str, value: object) -> int:
    low, high = RANGES[key]
    problem = f"{key}: give a whole number from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(problem)  # noqa: TRY004 -- one error type for a wrong value
    try:
        number = int(value)
    except ValueError:
        raise ValueError(problem) from None
    if not low <= number <= high:
        raise ValueError(problem)
    return number
