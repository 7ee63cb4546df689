"""
One page of members through its moves: sight, match, decide, stage and send; and the
recording of what the org made of it. Knows nothing of how the page came to be.
"""

from __future__ import annotations

import itertools
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from worker import clock
from worker.domain import mapping
from worker.domain.fitting import Fitting, RowBuilder, Scalar, Unfit, fingerprint
from worker.domain.members import (
    Action,
    LinkChoice,
    MemberDecision,
    Sighting,
    choose_link,
    decide_member,
    needs_candidates,
)
from worker.domain.report import Outcome
from worker.domain.state import (
    BatchPurpose,
    ContactLink,
    Event,
    ParkedRecord,
    StagedMember,
)
from worker.salesforce.csvfile import UNCHANGED, Cell
from worker.sync.new_contacts import NewContacts, Wanted
from worker.sync.parking import park, park_refused
from worker.sync.push import Push, Settled, Target

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from worker.domain.records import DescribedObject, Member, RowResult
    from worker.domain.state import MemberLink
    from worker.sync.context import RunContext

LINK_WORDS = {
    ContactLink.LINKED: "Linked",
    ContactLink.CREATED: "Created",
    ContactLink.AMBIGUOUS: "Ambiguous",
    ContactLink.ASSIGNED: "Assigned",
    ContactLink.NONE: "None",
    ContactLink.NO_EMAIL: "None",
    ContactLink.REFUSED: "None",
}
PAGE = 1000
# A dry run shows so many of its decisions.
SAMPLES = 10


class Seen(NamedTuple):
    """One member of a page with everything its decision leans on."""

    member: Member
    row: Sequence[Scalar]
    sighting: Sighting
    known: MemberLink | None
    retrying: bool


Decided = list[tuple[Seen, MemberDecision]]


class MemberPages:
    """Takes pages of members and keeps one push going; see `Push` for its order."""

    def __init__(
        self,
        ctx: RunContext,
        described: Mapping[str, DescribedObject],
        *,
        full: bool,
    ) -> None:
        self._ctx = ctx
        self._full = full
        self._fitting = Fitting(described[mapping.COMMUNITY_USER])
        self._builder = RowBuilder(
            mapping.MEMBER_FIELDS, self._fitting, _worked_out(ctx)
        )
        self._columns = (*self._builder.columns, *mapping.LINK_FIELDS)
        self._new_contacts = NewContacts(ctx, described[mapping.CONTACT])
        # Batches with members that have no record id yet: their results are read.
        self._creating: set[int] = set()
        self.push = Push(
            ctx,
            Target(
                mapping.COMMUNITY_USER,
                mapping.COMMUNITY_USER_KEY,
                self._columns,
                BatchPurpose.MEMBERS,
            ),
            self.settle,
            self._intents,
        )
        # Records intentions while the next page is fitted and decided, where the
        # database is a server. Nothing is sent before its intention is recorded.
        self._stager = ThreadPoolExecutor(1, thread_name_prefix="stage")
        self._staging: deque[Future[None]] = deque()

    def take(
        self,
        members: Sequence[Member],
        known: Mapping[int, MemberLink],
        retrying: Collection[int] = (),
    ) -> None:
        """Bring one page's members into the batch; each ends in a counted outcome."""
        decided = self._decided(self._matched(self._sight(members, known, retrying)))
        self._apply(self._with_new_contacts(decided))

    def write_link(
        self, link: MemberLink, choice: LinkChoice, *, sent: bytes, deleted: bool
    ) -> None:
        """Write a member's link and deletion mark alone; the profile stays as it is."""
        ctx = self._ctx
        if ctx.dry:
            ctx.count(Outcome.APPLIED)
            return
        staged = StagedMember(
            link.member_id,
            sent,
            self.push.batch_id,
            choice.contact_id,
            choice.link,
            link.email_key,
            link.last_visit_at,
            link.contact_values,
            None,
            deleted,
        )
        self.drain()
        ctx.store.members.stage(ctx.community, [staged])
        self._mark_due({choice.contact_id, link.contact_id})
        cells: dict[str, Cell] = dict.fromkeys(self._columns, UNCHANGED)
        key = mapping.member_key(ctx.community, link.member_id)
        cells |= {mapping.COMMUNITY_USER_KEY: key, mapping.DELETED_FIELD: deleted}
        lookup, word = self._link_cells(choice)
        cells |= {mapping.CONTACT_LOOKUP: lookup, mapping.CONTACT_LINK_FIELD: word}
        self.push.add([list(cells.values())])

    def settle(self, settled: Settled, *, creating: bool = False) -> None:
        """
        Record a batch's outcome; a batch settled twice changes nothing.

        `creating`: read the ids of created records though this process did not send
        the batch. Raises the StopRun that a row's code asks for, once all is recorded.
        """
        ctx = self._ctx
        failed = {mapping.member_id_of(r.key): r for r in settled.failed}
        creating = creating or settled.batch_id in self._creating
        self._creating.discard(settled.batch_id)
        for page in _pages(settled.created if creating else ()):
            ctx.store.members.note_created(ctx.community, settled.batch_id, page)
        ctx.store.members.settle(ctx.community, settled.batch_id, failed=failed.keys())
        ctx.count(Outcome.APPLIED, settled.rows - len(failed))
        refused = [(f"member:{number}", r) for number, r in failed.items()]
        stop = park_refused(ctx, refused)
        if stop is not None:
            raise stop

    def flush(self) -> None:
        """Send what waits, and return when every intention is recorded."""
        self.push.flush()
        self.drain()

    def drain(self) -> None:
        """Wait until every intention is recorded; raise what kept one from it."""
        while self._staging:
            self._staging.popleft().result()

    def close(self) -> None:
        self._stager.shutdown(wait=True, cancel_futures=True)
        self.push.close()
        self._ctx.fitted.update(self._fitting.changed)

    def _sight(
        self,
        members: Sequence[Member],
        known: Mapping[int, MemberLink],
        retrying: Collection[int],
    ) -> list[Seen]:
        email_key = self._ctx.email_key
        build = self._builder.row
        seen: list[Seen] = []
        unfit: list[tuple[int, str]] = []
        for member in members:
            try:
                row = build(member)
            except Unfit as error:
                unfit.append((member.member_id, error.field))
                continue
            key = email_key(member.email) if member.email else None
            sighting = Sighting(member.deleted, key, fingerprint(row))
            link = known.get(member.member_id)
            seen.append(Seen(member, row, sighting, link, member.member_id in retrying))
        self._park([_unfit(self._ctx, number, field) for number, field in unfit])
        return seen

    def _matched(self, seen: Sequence[Seen]) -> list[tuple[Seen, list[str]]]:
        ctx = self._ctx
        keys = {
            one.sighting.email_key
            for one in seen
            if needs_candidates(one.sighting, one.known, ctx.features)
        }
        found = ctx.store.contacts.by_email(
            ctx.community, [key for key in keys if key is not None]
        )
        return [(one, found.get(one.sighting.email_key or b"", [])) for one in seen]

    def _decided(self, matched: Iterable[tuple[Seen, list[str]]]) -> Decided:
        features = self._ctx.features
        decided: Decided = []
        doubtful: list[ParkedRecord] = []
        for one, candidates in matched:
            known, retrying = one.known, one.retrying
            choice = choose_link(
                one.sighting, known, candidates, features, retrying=retrying
            )
            was = known.contact_link if known else None
            news = was is not choice.link or retrying
            if choice.link is ContactLink.AMBIGUOUS and news:
                doubtful.append(_ambiguous(self._ctx, one.member.member_id, candidates))
            decision = decide_member(one.sighting, known, choice, retrying=retrying)
            decided.append((one, decision))
        # Together: a transaction for each cost a fifth of a first full pass.
        self._park(doubtful)
        return decided

    def _park(self, records: list[ParkedRecord]) -> None:
        self._ctx.count(Outcome.FAILED, len(records))
        if not self._ctx.dry:
            park(self._ctx, records)

    def _with_new_contacts(self, decided: Decided) -> Decided:
        wanted = [
            Wanted(one.member, one.sighting.email_key)
            for one, decision in decided
            if decision.action is Action.CREATE_CONTACT and one.sighting.email_key
        ]
        if self._ctx.dry or not wanted:
            return decided
        made = self._new_contacts.create(wanted)
        return [
            (one, d._replace(choice=made.get(one.member.member_id, d.choice)))
            for one, d in decided
        ]

    def _apply(self, decided: Decided) -> None:
        ctx = self._ctx
        writes: Decided = []
        for one, decision in decided:
            if decision.action is Action.UNCHANGED:
                ctx.count(Outcome.UNCHANGED)
            elif decision.action is Action.DEFER:
                ctx.count(Outcome.DEFERRED)
            else:
                writes.append((one, decision))
        if ctx.dry:
            self._sample(writes)
        elif writes:
            self._stage(writes)
            self.push.add(
                [[*one.row, *self._link_cells(d.choice)] for one, d in writes]
            )

    def _link_cells(self, choice: LinkChoice) -> tuple[Cell, Cell]:
        if not self._ctx.features.link_contacts:
            return UNCHANGED, UNCHANGED
        return choice.contact_id, LINK_WORDS[choice.link]

    def _stage(self, writes: Decided) -> None:
        batch_id = self.push.batch_id
        if any(_is_new(one.known) for one, _ in writes):
            self._creating.add(batch_id)
        if not self._ctx.store.database.is_server:
            # SQLite works in this process and takes the interpreter back for every
            # row: beside the fitting it cost a quarter more CPU than before it.
            self._record(batch_id, writes)
            return
        # One page behind, no more: pages that wait are memory.
        while len(self._staging) > 1:
            self._staging.popleft().result()
        self._staging.append(self._stager.submit(self._record, batch_id, writes))

    def _intents(self) -> list[Future[None]]:
        return list(self._staging)

    def _record(self, batch_id: int, writes: Decided) -> None:
        ctx = self._ctx
        slow_due = clock.now() if ctx.settings.aurora.slow_fields else None
        ctx.store.members.stage(
            ctx.community,
            [
                StagedMember(
                    one.member.member_id,
                    one.sighting.fingerprint,
                    batch_id,
                    decision.choice.contact_id,
                    decision.choice.link,
                    one.sighting.email_key,
                    one.member.last_visit_at,
                    mapping.contact_values(one.member),
                    slow_due,
                    one.member.deleted,
                )
                for one, decision in writes
            ],
        )
        before = {one.known.contact_id for one, _ in writes if one.known}
        self._mark_due(before | {d.choice.contact_id for _, d in writes})
        self._tell(writes)

    def _mark_due(self, contact_ids: set[str | None]) -> None:
        touched = [contact_id for contact_id in contact_ids if contact_id]
        if touched and self._ctx.features.contact_fields:
            self._ctx.store.contacts.mark_due(self._ctx.community, touched)

    def _tell(self, writes: Decided) -> None:
        # A full pass's plain creates tell themselves by their record; a line each
        # would double the cost of recording a first one.
        ctx, now = self._ctx, clock.now()
        ctx.store.events.add(
            [
                Event(
                    ctx.community,
                    f"member:{one.member.member_id}",
                    now,
                    f"member.{decision.action.value}",
                    ctx.run.id,
                    {"contact": decision.choice.contact_id},
                )
                for one, decision in writes
                if one.known is not None
                or not self._full
                or decision.action in _WORTH_A_LINE
            ]
        )

    def _sample(self, writes: Decided) -> None:
        ctx = self._ctx
        ctx.count(Outcome.APPLIED, len(writes))
        linked = {d.choice.contact_id for _, d in writes if d.choice.contact_id}
        ctx.would_touch |= linked
        ctx.samples += [
            {
                "member": one.member.member_id,
                "action": decision.action.value,
                "contact": decision.choice.contact_id,
                "link": decision.choice.link.value,
            }
            for one, decision in writes[: max(0, SAMPLES - len(ctx.samples))]
        ]


def _pages(created: Iterable[RowResult]) -> Iterator[list[tuple[int, str]]]:
    """Yield (member id, record id) in pages, as the org's answer streams in."""
    rest = iter(created)
    while page := list(itertools.islice(rest, PAGE)):
        yield [(mapping.member_id_of(r.key), r.record_id or "") for r in page]


_WORTH_A_LINE = frozenset({Action.CONFLICT, Action.CREATE_CONTACT})


def _is_new(known: MemberLink | None) -> bool:
    return known is None or known.community_user_id is None


def _worked_out(ctx: RunContext) -> dict[str, Callable[[Member], object]]:
    aurora = ctx.settings.aurora
    rest_base = f"{aurora.base_url}{aurora.api_prefix}/api/2.0"
    community = ctx.community
    return {
        "=key": lambda member: f"{community}:{member.member_id}",
        "=community": lambda _: community,
        "=rest_url": lambda member: member.rest_path and rest_base + member.rest_path,
    }


def _unfit(ctx: RunContext, member_id: int, field: str) -> ParkedRecord:
    return ParkedRecord(
        ctx.community,
        ctx.stream,
        f"member:{member_id}",
        reason="unfit",
        fields=(field,),
        run_id=ctx.run.id,
    )


def _ambiguous(
    ctx: RunContext, member_id: int, candidates: Sequence[str]
) -> ParkedRecord:
    return ParkedRecord(
        ctx.community,
        ctx.stream,
        f"member:{member_id}",
        reason="ambiguous_email",
        run_id=ctx.run.id,
        candidates=tuple(candidates),
    )
