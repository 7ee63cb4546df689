"""
Compares the two sandboxes' true state, member by member, and says what differs.
Shares no rule with the worker: what it expects is written here a second time.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from worker.cli.sameness import CONTACT_FIELDS, FIELDS, SLOW_FIELDS, address
from worker.http import session

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Row = dict[str, Any]

RECORDS = "Community_User__c"
TIMEOUT = timedelta(seconds=60)


class Difference(NamedTuple):
    """One disagreement, by the record's key and a field; never by its contents."""

    record: str
    what: str


class Verdict(NamedTuple):
    """
    The comparison's result. `waiting` counts members whose slow fields have not had
    their turn; `unwritten` those without a record because it is parked.
    """

    members: int
    records: int
    links: dict[str, int]
    fitted: int
    unwritten: int
    waiting: int
    differences: list[Difference]

    @property
    def agree(self) -> bool:
        return not self.differences


class Sides(NamedTuple):
    """Both sides' true state, as the sandboxes' control pages give it, unmetered."""

    members: list[Row]
    records: list[Row]
    contacts: list[Row]


def read_sides(aurora_url: str, salesforce_url: str) -> Sides:
    """Read both sandboxes."""
    with session(connect_timeout=TIMEOUT, read_timeout=TIMEOUT) as http:

        def lines(url: str) -> list[Row]:
            answer = http.get(url)
            answer.raise_for_status()
            # By bytes and newlines: names hold other characters that end a line.
            return [json.loads(line) for line in answer.content.split(b"\n") if line]

        return Sides(
            lines(f"{aurora_url}/_sandbox/members"),
            lines(f"{salesforce_url}/_sandbox/records/{RECORDS}"),
            lines(f"{salesforce_url}/_sandbox/records/Contact"),
        )


def compare(
    sides: Sides,
    community: str,
    *,
    parked: Collection[str] = (),
    contact_fields: bool = True,
) -> Verdict:
    """
    Compare every member with its record, and every Contact with its members.

    `parked` are the keys (`member:41`) of open failures that keep a record from being
    written; those members are counted, not compared.
    """
    records = [row for row in sides.records if row.get("Community__c") == community]
    by_key, differences = _by_key(records)
    contacts = {row["Id"]: row for row in sides.contacts if not row.get("IsDeleted")}
    comparison = _Comparison(community, by_key, contacts, differences)
    for member in sides.members:
        comparison.member(member, parked=f"member:{member['id']}" in parked)
    comparison.surplus(by_key, {f"{community}:{row['id']}" for row in sides.members})
    if contact_fields:
        comparison.contact_fields(sides.members)
    return Verdict(
        members=len(sides.members),
        records=len(records),
        links=dict(comparison.links),
        fitted=comparison.fitted,
        unwritten=comparison.unwritten,
        waiting=comparison.waiting,
        differences=differences,
    )


def _by_key(records: Iterable[Row]) -> tuple[dict[str, Row], list[Difference]]:
    by_key: dict[str, Row] = {}
    differences = []
    for row in records:
        key = row.get("Community_User_Key__c") or ""
        if key in by_key:
            differences.append(Difference(key, "two records have this key"))
        by_key[key] = row
    return by_key, differences


class _Comparison:
    """Walks the members once; everything it finds goes into its counters."""

    def __init__(
        self,
        community: str,
        by_key: dict[str, Row],
        contacts: dict[str, Row],
        differences: list[Difference],
    ) -> None:
        self._community = community
        self._by_key = by_key
        self._contacts = contacts
        self._differences = differences
        self._by_email: dict[str, list[str]] = defaultdict(list)
        for contact_id, row in contacts.items():
            if row.get("Email"):
                self._by_email[address(row["Email"])].append(contact_id)
        self.links: Counter[str] = Counter()
        self.fitted = 0
        self.unwritten = 0
        self.waiting = 0

    def member(self, member: Row, *, parked: bool) -> None:
        key = f"{self._community}:{member['id']}"
        record = self._by_key.get(key)
        if record is None:
            if parked:
                self.unwritten += 1
            else:
                self._differences.append(Difference(key, "has no record"))
            return
        for field, source, same in FIELDS:
            self._field(key, field, same(member.get(source), record.get(field)))
        self._slow(key, member, record)
        self._field(key, "Community__c", record.get("Community__c") == self._community)
        self._link(key, member, record)

    def _field(self, key: str, field: str, verdict: bool | None) -> None:
        if verdict is None:
            self.fitted += 1
        elif not verdict:
            self._differences.append(Difference(key, field))

    def _slow(self, key: str, member: Row, record: Row) -> None:
        """Empty means that they wait for their turn, unless there is nothing to say."""
        given = [record.get(field) for field, _, _ in SLOW_FIELDS]
        if given == [None] * len(given):
            self.waiting += 1
            return
        for field, source, same in SLOW_FIELDS:
            self._field(key, field, same(member.get(source), record.get(field)))

    def _link(self, key: str, member: Row, record: Row) -> None:
        link = record.get("Contact_Link__c")
        contact_id = record.get("Contact__c")
        self.links[str(link)] += 1
        if contact_id and contact_id not in self._contacts:
            self._differences.append(Difference(key, "its Contact is gone"))
            return
        if link == "Assigned":
            return
        email = member.get("email")
        matches = self._by_email.get(address(email), []) if email else []
        expected = matches[0] if len(matches) == 1 else None
        words = {0: ("None",), 1: ("Linked", "Created")}.get(
            len(matches), ("Ambiguous",)
        )
        if contact_id != expected:
            self._differences.append(Difference(key, "Contact__c"))
        elif link not in words:
            self._differences.append(Difference(key, "Contact_Link__c"))

    def surplus(self, by_key: dict[str, Row], expected: set[str]) -> None:
        """Records of nobody: right only for members the community has purged."""
        for key, row in by_key.items():
            if key not in expected and not row.get("Is_Deleted__c"):
                self._differences.append(Difference(key, "is nobody's record"))

    def contact_fields(self, members: Iterable[Row]) -> None:
        """Each linked Contact shows the member who was seen last; others, nobody.

        Deleted members are shown nowhere.
        """
        winners: dict[str, Row] = {}
        for member in sorted(members, key=_last_seen):
            record = self._by_key.get(f"{self._community}:{member['id']}")
            if record and record.get("Contact__c") and not member.get("deleted"):
                winners[record["Contact__c"]] = member
        for contact_id, row in self._contacts.items():
            winner = winners.get(contact_id, {})
            for field, source, same in CONTACT_FIELDS:
                verdict = same(winner.get(source), row.get(field))
                self._field(f"Contact {contact_id}", field, verdict)


def _last_seen(member: Row) -> tuple[str, int]:
    return (member.get("last_visit_time") or "", int(member["id"]))
