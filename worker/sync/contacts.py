"""
The mirror of the org's Contacts that members are matched against, and our fields on
the Contacts that members are linked to.
"""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from worker import clock, logs
from worker.domain.fitting import Fitting, Scalar
from worker.domain.mapping import CONTACT, CONTACT_FIELDS
from worker.domain.members import breaks
from worker.domain.report import Outcome
from worker.domain.state import BatchPurpose
from worker.errors import BreakerTripped, RecordGone
from worker.salesforce.responses import family_of
from worker.sync.parking import park_refused
from worker.sync.push import Push, Settled, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.domain.records import Contact, DescribedObject, RowResult
    from worker.domain.state import Winner
    from worker.salesforce.csvfile import Cell
    from worker.sync.context import RunContext

log = logs.logger(__name__)

# Rows become visible up to ten minutes after the stamp they carry.
OVERLAP = timedelta(minutes=10)
PAGE = 1000
# Beyond any difference between our clock and the org's.
AHEAD = timedelta(days=1)


class MirrorChange(NamedTuple):
    """What a refresh found: e-mail keys with news, members whose Contact went."""

    email_keys: tuple[bytes, ...] = ()
    unlinked: tuple[int, ...] = ()


def refresh_mirror(ctx: RunContext, since: datetime | None) -> MirrorChange:
    """
    Bring the mirror up to date: all Contacts when `since` is None, else what others
    changed since then. Costs a query job, or one call per 2,000 changed Contacts.
    """
    return _refresh_all(ctx) if since is None else _refresh_changed(ctx, since)


def _refresh_all(ctx: RunContext) -> MirrorChange:
    contacts = ctx.store.contacts
    generation = contacts.begin_refresh(ctx.community)
    for page in _chunks(ctx.salesforce.all_contacts(), PAGE):
        ctx.checkpoint()
        contacts.add(ctx.community, generation, _keyed(ctx, page))
    unseen = contacts.linked_unseen(ctx.community, generation)
    _break_if_too_many(ctx, len(unseen))
    if ctx.dry:
        return MirrorChange()
    unlinked = _unlink(ctx, unseen)
    _forget_failures(ctx, unseen)
    contacts.finish_refresh(ctx.community, generation)
    return MirrorChange(unlinked=unlinked)


def _refresh_changed(ctx: RunContext, since: datetime) -> MirrorChange:
    news: list[bytes] = []
    gone: dict[str, str | None] = {}
    # Open at its end: what is read too early is read again, for the next `since` is
    # the org's time before this query.
    changed = ctx.salesforce.contacts_changed_since(
        since - OVERLAP,
        clock.now() + AHEAD,
        not_by=ctx.crm_user,
        within=ctx.own_writes,
    )
    for page in _chunks(changed, PAGE):
        ctx.checkpoint()
        alive = [contact for contact in page if not contact.is_deleted]
        gone |= {c.contact_id: c.master_id for c in page if c.is_deleted}
        keyed = _keyed(ctx, alive)
        ctx.store.contacts.add(ctx.community, None, keyed)
        news += [key for _, key in keyed if key is not None]
    _break_if_too_many(ctx, len(ctx.store.members.linked_to(ctx.community, gone)))
    if ctx.dry:
        return MirrorChange(tuple(dict.fromkeys(news)))
    unlinked = _unlink(ctx, [loser for loser, master in gone.items() if not master])
    for loser, master in gone.items():
        if master:
            ctx.store.members.relink(ctx.community, loser, master)
            ctx.store.contacts.mark_due(ctx.community, [master])
    ctx.store.contacts.remove(ctx.community, list(gone))
    _forget_failures(ctx, gone)
    return MirrorChange(tuple(dict.fromkeys(news)), unlinked)


def _forget_failures(ctx: RunContext, contact_ids: Iterable[str]) -> None:
    """A Contact that is gone has nothing left to try."""
    keys = [f"contact:{contact_id}" for contact_id in contact_ids]
    ctx.store.failures.resolve(ctx.community, ctx.stream, keys)


def _unlink(ctx: RunContext, contact_ids: Iterable[str]) -> tuple[int, ...]:
    unlinked: list[int] = []
    for contact_id in contact_ids:
        unlinked += ctx.store.members.relink(ctx.community, contact_id, None)
    if unlinked:
        log.info("members.unlinked", members=len(unlinked))
    return tuple(unlinked)


def _break_if_too_many(ctx: RunContext, leaving: int) -> None:
    linked = ctx.store.members.linked_count(ctx.community)
    percent = ctx.features.breaker_percent
    if breaks(leaving, linked, percent) and not ctx.forced:
        raise BreakerTripped(
            "salesforce",
            "contacts",
            code="breaker",
            detail=f"{leaving} Contacts that members are linked to ({linked} links) "
            f"are gone, more than breaker_percent={percent}; if that is right, run "
            "`aurora-sync sync members --full --force`",
        )


def _keyed(
    ctx: RunContext, contacts: Iterable[Contact]
) -> list[tuple[str, bytes | None]]:
    key = ctx.email_key
    return [(c.contact_id, key(c.email) if c.email else None) for c in contacts]


def _chunks(contacts: Iterable[Contact], size: int) -> Iterator[list[Contact]]:
    rest = iter(contacts)
    while page := list(itertools.islice(rest, size)):
        yield page


class ContactFields:
    """Writes our fields on the Contacts that are due; the last seen member wins."""

    def __init__(self, ctx: RunContext, described: DescribedObject) -> None:
        self._ctx = ctx
        self._fitting = Fitting(described)
        self._fitters = [self._fitting.fitter(rule) for rule in CONTACT_FIELDS]
        columns = ("Id", *(rule.field for rule in CONTACT_FIELDS))
        target = Target(CONTACT, "Id", columns, BatchPurpose.CONTACT_FIELDS)
        self._push = Push(ctx, target, self._settle)
        self._digests: dict[int, dict[str, bytes]] = {}
        self._open = ctx.store.failures.open_keys(ctx.community, ctx.stream, "contact:")

    def push_due(self) -> None:
        """Write every due Contact whose values differ from what it shows."""
        try:
            after = ""
            while page := self._ctx.store.contacts.due(
                self._ctx.community, after, PAGE
            ):
                self._ctx.checkpoint()
                self._page(page_ids := [due.contact_id for due in page], dict(page))
                after = page_ids[-1]
                if self._push.is_full:
                    self._push.flush()
            self._push.finish()
        finally:
            self._push.close()
            self._ctx.fitted.update(self._fitting.changed)

    def _page(self, contact_ids: list[str], written: dict[str, bytes | None]) -> None:
        ctx = self._ctx
        winners = ctx.store.members.winners(ctx.community, contact_ids)
        rows: list[list[Cell]] = []
        same: list[tuple[str, bytes]] = []
        for contact_id in contact_ids:
            values = self.values(winners.get(contact_id))
            digest = values_digest(values)
            if digest == written[contact_id]:
                same.append((contact_id, digest))
            else:
                rows.append([contact_id, *values])
                self._remember(contact_id, digest)
        ctx.store.contacts.written(ctx.community, same)
        self._resolve(contact_id for contact_id, _ in same)
        self._push.add(rows)

    def values(self, winner: Winner | None) -> list[Scalar]:
        """Return the fitted values the Contact should show; all None for nobody."""
        if winner is None or winner.contact_values is None:
            return [None] * len(self._fitters)
        return self.fit(winner.contact_values)

    def fit(self, kept: str) -> list[Scalar]:
        values = json.loads(kept)
        # The instant was kept as text; everything else as it was.
        return [
            fit(
                datetime.fromisoformat(value)
                if rule.source == "last_visit_at" and value
                else value
            )
            for rule, fit, value in zip(
                CONTACT_FIELDS, self._fitters, values, strict=True
            )
        ]

    def _remember(self, contact_id: str, digest: bytes) -> None:
        self._ctx.wrote_contacts = True
        self._digests.setdefault(self._push.batch_id, {})[contact_id] = digest

    def _settle(self, settled: Settled) -> None:
        ctx = self._ctx
        digests = self._digests.pop(settled.batch_id)
        failed = {result.key: result for result in settled.failed}
        # A refused Contact is no longer due: it waits as a failure, and becomes due
        # again when a member of it changes or a person asks for another try.
        shown = [
            (contact_id, b"" if contact_id in failed else digest)
            for contact_id, digest in digests.items()
        ]
        for start in range(0, len(shown), PAGE):
            ctx.store.contacts.written(ctx.community, shown[start : start + PAGE])
        self._resolve(digests.keys() - failed.keys())
        # A Contact that was deleted a moment ago is the next mirror's news.
        refused = [row for row in failed.values() if not _is_gone(row)]
        ctx.count(Outcome.SKIPPED, len(failed) - len(refused))
        stop = park_refused(ctx, [(f"contact:{row.key}", row) for row in refused])
        if stop is not None:
            raise stop

    def _resolve(self, contact_ids: Iterable[str]) -> None:
        healed = self._open.intersection(f"contact:{each}" for each in contact_ids)
        ctx = self._ctx
        ctx.store.failures.resolve(ctx.community, ctx.stream, healed)


def _is_gone(row: RowResult) -> bool:
    return issubclass(family_of(row.code or "", row.detail), RecordGone)


def values_digest(values: Sequence[object]) -> bytes:
    return blake2b(repr(values).encode(), digest_size=16).digest()
