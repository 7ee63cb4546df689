"""
One switch for each behaviour on which the public sources disagree, or which a site may
configure; `docs/sandbox.md` says what each stands for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self


@dataclass(slots=True)
class Switches:
    """The defaults are the cautious reading: a client that copes here copes there."""

    # Search.
    in_operator: bool = True
    time_constraints: bool = False
    post_time_constraint: bool = False
    structured_search: bool = True
    list_search: bool = True
    multi_word_matches_fails: bool = False
    offset_maximum: int | None = 2000
    limit_maximum: int = 1000
    limit_above_maximum_is_clamped: bool = False
    default_limit: int = 25
    # Rows of a page at most, whatever LIMIT says; None keeps to LIMIT.
    page_size: int | None = None
    anonymous_search_is_refused: bool = False
    index_lag_seconds: float = 0.0
    # Envelopes.
    http_code_in_body: bool = True
    errors_are_http_200: bool = False
    token_envelope_is_wrapped: bool = False
    expired_token_status: int = 401
    # Sign-in.
    session_login: bool = True
    session_minutes: float = 30.0
    use_extends_session: bool = False
    access_token_seconds: int = 86_400
    refresh_token_days: float = 1826.0
    authorization_code_seconds: int = 300
    old_refresh_token_dies: bool = True
    client_id_header_needed: bool = True
    # Routing and politeness.
    unprefixed_paths: bool = True
    ht_access: str = ""
    requests_per_second: float = 0.0
    too_many_every: int = 0
    latency_ms: float = 0.0

    def change(self, **values: object) -> None:
        """Set some; an unknown name or a value of another type changes nothing."""
        known = {field.name for field in fields(self)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"no such switch: {', '.join(unknown)}")
        for name, value in values.items():
            _refuse_other_type(name, getattr(self, name), value)
        for name, value in values.items():
            setattr(self, name, value)

    def copy(self) -> Self:
        return replace(self)

    def as_dict(self) -> dict[str, object]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


_NULLABLE = {"offset_maximum", "page_size"}


def _refuse_other_type(name: str, present: object, value: object) -> None:
    if value is None and name in _NULLABLE:
        return
    if isinstance(present, bool) or isinstance(value, bool):
        fits = isinstance(present, bool) and isinstance(value, bool)
    elif isinstance(present, str):
        fits = isinstance(value, str)
    else:
        fits = isinstance(value, (int, float))
    if not fits:
        raise ValueError(f"switch {name} takes no {type(value).__name__}")
