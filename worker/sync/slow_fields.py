"""
Roles, ratings and notes, which the community gives only member by member: fetched for
changed members alone, within a budget of calls, after all the rest has been written.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

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


class SlowFieldsFetch:
    """
    Fetches what the budget allows while other work goes on, then writes it; whoever
    is left comes first next time.

    A community that refuses or slows these reads holds up nothing: the members stay
    on the waiting list, which the status counts.
    """

    def __init__(self, ctx: RunContext, described: DescribedObject) -> None:
        self._ctx = ctx
        self._push = _SlowPush(ctx, described)
        self._known: dict[int, MemberLink] = {}
        self._shares: list[Future[list[SlowFields]]] = []
        # As many readers as a full pass has; each gets its share of the calls.
        readers = ctx.settings.aurora.parallel_reads
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="slow")

    def __enter__(self) -> Self:
        ids = self._due()
        readers = min(self._ctx.settings.aurora.parallel_reads, len(ids))
        for reader in range(readers):
            calls = self._ctx.settings.aurora.slow_field_calls // readers
            self._shares.append(
                self._pool.submit(
                    _patiently, self._ctx.aurora, ids[reader::readers], calls
                )
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def write(self) -> None:
        """Wait for what was fetched and write it; one call per 1,000 that differ."""
        ctx = self._ctx
        fetched = [fields for share in self._shares for fields in share.result()]
        for start in range(0, len(fetched), PAGE):
            ctx.checkpoint()
            self._push.write(fetched[start : start + PAGE], self._known)
        if ctx.settings.aurora.slow_fields:
            waiting = ctx.store.members.slow_waiting(ctx.community)
            ctx.extra["slow_fields_waiting"] = waiting

    def _due(self) -> list[int]:
        ctx, settings = self._ctx, self._ctx.settings.aurora
        if not settings.slow_fields:
            return []
        # Each member costs at least one call: more ids than calls are never needed.
        due = ctx.store.members.slow_due(ctx.community, settings.slow_field_calls)
        self._known = ctx.store.members.by_ids(ctx.community, due)
        there = [number for number in due if _is_there(self._known.get(number))]
        # Who is not in the org yet has nothing to add to; a later write asks anew.
        early = set(due).difference(there)
        ctx.store.members.slow_done(ctx.community, [(n, None) for n in early])
        return there


def _is_there(link: MemberLink | None) -> bool:
    return link is not None and link.community_user_id is not None


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
