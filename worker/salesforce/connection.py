"""Where and as whom to call the org: all that a side door such as the deploy needs."""

from __future__ import annotations

from typing import NamedTuple


class Connection(NamedTuple):
    """
    A logged-in org; `api_version` is bare, as in `62.0`.

    It is a snapshot of the token: a session that ends later is the caller's to renew.
    """

    instance_url: str
    session_id: str
    api_version: str

    # A printed connection must not carry the session into a log.
    def __repr__(self) -> str:
        return f"Connection({self.instance_url!r}, api_version={self.api_version!r})"
