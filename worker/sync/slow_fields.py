"""
Roles, ratings and notes, which the community gives only member by member: fetched for
changed members alone, within a budget of calls, after all the rest has been written.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from worker import logs
from worker.domain.fitting import Fitting, Scalar, fingerprint
from worker.domain.mapping import (
    COMMUNITY_USER,
    COMMUNITY_USER_KEY,
    SLOW_FIELDS,
    member_id_of,
    member_key,
)
from worker.errors import PermissionMissing, RetryLater
from worker.salesforce.responses import family_of
from worker.sync.parking import park_refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.aurora.client import AuroraClient
    from worker.domain.records import DescribedObject, RowResult, SlowFields
    from worker.domain.state import MemberLink
    from worker.sync.context import RunContext

log = logs.logger(__name__)

PAGE = 1000


def push_slow_fields(ctx: RunContext, described: DescribedObject) -> None:
    """
    Fetch and write what the budget allows; whoever is left comes first next time.

    A community that refuses or slows these reads holds up nothing: the members stay
    on the waiting list, which the status counts.
    """
    settings = ctx.settings.aurora
    if not settings.slow_fields or not settings.slow_field_calls:
        return
    fields = _SlowPush(ctx, described)
    # Each member costs at least one call, so more ids than calls are never needed.
    due = ctx.store.members.slow_due(ctx.community, settings.slow_field_calls)
    known = ctx.store.members.by_ids(ctx.community, due)
    written = [number for number in due if _is_there(known.get(number))]
    # Who is not in the org yet has nothing to add fields to; a later write asks anew.
    early: list[tuple[int, bytes | None]] = [
        (number, None) for number in due if number not in set(written)
    ]
    ctx.store.members.slow_done(ctx.community, early)
    fetched = _fetch(ctx, written)
    for start in range(0, len(fetched), PAGE):
        ctx.checkpoint()
        fields.write(fetched[start : start + PAGE], known)
    ctx.extra["slow_fields_waiting"] = ctx.store.members.slow_waiting(ctx.community)


def _is_there(link: MemberLink | None) -> bool:
    return link is not None and link.community_user_id is not None


def _fetch(ctx: RunContext, ids: list[int]) -> list[SlowFields]:
    """Fetch with as many readers as a full pass has; each gets its share of calls."""
    readers = min(ctx.settings.aurora.parallel_reads, len(ids))
    if not readers:
        return []
    calls = ctx.settings.aurora.slow_field_calls // readers
    shares = [ids[reader::readers] for reader in range(readers)]
    with ThreadPoolExecutor(readers, thread_name_prefix="slow") as pool:
        shared = pool.map(lambda share: _patiently(ctx.aurora, share, calls), shares)
        return list(itertools.chain.from_iterable(shared))


def _patiently(aurora: AuroraClient, ids: list[int], calls: int) -> list[SlowFields]:
    """Return what came; end quietly where the community wants no more."""
    came: list[SlowFields] = []
    try:
        came.extend(aurora.slow_fields(ids, calls=calls))
    except (RetryLater, PermissionMissing) as error:
        log.warning("slow_fields.deferred", code=error.code, status=error.status)
    return came


class _SlowPush:
    def __init__(self, ctx: RunContext, described: DescribedObject) -> None:
        self._ctx = ctx
        self._fitting = Fitting(described)
        self._fitters = [self._fitting.fitter(rule) for rule in SLOW_FIELDS]

    def write(self, page: Sequence[SlowFields], known: dict[int, MemberLink]) -> None:
        """
        Write the rows that differ; one call per 1,000. Who was merely locked stays on
        the waiting list, who was refused waits as a failure.
        """
        ctx = self._ctx
        rows: list[dict[str, Scalar]] = []
        digests: dict[int, bytes | None] = {}
        for fields in page:
            values = self._values(fields)
            digests[fields.member_id] = fingerprint(values)
            if digests[fields.member_id] != known[fields.member_id].slow_fingerprint:
                key = member_key(ctx.community, fields.member_id)
                rows.append({COMMUNITY_USER_KEY: key, **_named(values)})
        results = ctx.salesforce.upsert(COMMUNITY_USER, COMMUNITY_USER_KEY, rows)
        refused: list[tuple[str, RowResult]] = []
        for result in (result for result in results if not result.ok):
            number = member_id_of(result.key)
            if issubclass(family_of(result.code or "", result.detail), RetryLater):
                digests.pop(number)
            else:
                digests[number] = None
                refused.append((f"member:{number}", result))
        ctx.store.members.slow_done(ctx.community, list(digests.items()))
        self._tell(len([result for result in results if result.ok]))
        stop = park_refused(ctx, refused)
        if stop is not None:
            raise stop

    def _tell(self, written: int) -> None:
        ctx = self._ctx
        ctx.fitted.update(self._fitting.changed)
        self._fitting.changed.clear()
        before = ctx.extra.get("slow_fields_written", 0)
        ctx.extra["slow_fields_written"] = written + int(str(before))

    def _values(self, fields: SlowFields) -> list[Scalar]:
        given: dict[str, object] = {
            "roles": ";".join(fields.roles),
            "average_rating": fields.average_rating,
            "administrative_notes": fields.administrative_notes,
        }
        return [
            fit(given[rule.source])
            for rule, fit in zip(SLOW_FIELDS, self._fitters, strict=True)
        ]


def _named(values: Sequence[Scalar]) -> dict[str, Scalar]:
    return {rule.field: value for rule, value in zip(SLOW_FIELDS, values, strict=True)}
