"""The doctor's look at the community: reach, clock, sign-in, what the API user sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.errors import WorkerError
from worker.sync.findings import Finding, bad, good, refusal, skew
from worker.sync.reach import remote_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from worker.aurora.client import AuroraClient, Caller
    from worker.settings import Settings

SIDE = "community"
SEE_EMAILS = (
    "give the API user the Administrator role, or a role that may view other members' "
    "e-mail addresses and private profile fields"
)


def examine(
    settings: Settings, client: AuroraClient, now: Callable[[], datetime]
) -> Iterator[Finding]:
    """Yield findings; what cannot be asked without what failed is left out."""
    try:
        date = remote_clock("aurora", settings.aurora.base_url)
    except WorkerError as error:
        yield refusal(SIDE, "reach", error)
        return
    yield good(SIDE, "reach", f"{settings.aurora.base_url} answers")
    yield skew(SIDE, date, now())
    try:
        caller = client.whoami()
    except WorkerError as error:
        yield refusal(SIDE, "login", error)
        return
    yield from _caller(caller)
    try:
        last = client.last_member_id()
    except WorkerError as error:
        yield refusal(SIDE, "members", error)
    else:
        yield _members(last)


def _caller(caller: Caller) -> Iterator[Finding]:
    if caller.user_id < 0:
        what = "the calls are anonymous"
        yield bad(SIDE, "login", what, "sign in again: `aurora-sync connect`")
        return
    yield good(SIDE, "login", f"signed in as user {caller.user_id}")
    roles = ", ".join(caller.roles)
    if roles:
        yield good(SIDE, "roles", roles)
    else:
        yield bad(SIDE, "roles", "the API user is shown no roles", SEE_EMAILS)
    if caller.sees_emails is False:
        yield bad(SIDE, "e-mails", "other members' e-mails are hidden", SEE_EMAILS)
    else:
        seen = "are shown" if caller.sees_emails else "nobody to tell by"
        yield good(SIDE, "e-mails", seen)


def _members(last: int) -> Finding:
    if last:
        return good(SIDE, "members", f"visible, up to id {last}")
    # To callers without the right, the community shows an empty list and no error.
    return bad(SIDE, "members", "the community shows no member", SEE_EMAILS)
