"""
The org, one method per question or command. Knows endpoints; leaves HTTP to the wire,
JSON to the payloads and the meaning of answers to the responses.
"""

from __future__ import annotations

import math
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar
from urllib.parse import quote

from worker import clock
from worker.errors import ContractBroken, PermissionMissing
from worker.salesforce import payloads, queries, writes
from worker.salesforce.auth import SessionSource
from worker.salesforce.bulk import BulkIngest, BulkQuery, Polling
from worker.salesforce.payloads import SERVICE, CommunityUserRef, Request
from worker.salesforce.responses import refusal
from worker.salesforce.wire import Call, Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import msgspec

    from worker.domain.records import (
        Contact,
        DescribedObject,
        RowResult,
        Usage,
    )
    from worker.domain.tokens import Token, TokenVault
    from worker.salesforce.connection import Connection
    from worker.salesforce.payloads import Row
    from worker.settings import SalesforceSettings

T = TypeVar("T")

DESCRIBED_FOR = timedelta(hours=1)
# Parts of one composite request: 25, of which 5 may be queries or Collections calls.
# https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
PARTS = 25
HEAVY_PARTS = 5
# From this many rows on, a query job costs fewer calls than pages of 2,000.
PAGED_ROWS = 16_000
# A job is created, filled, closed, polled about five times, and read twice.
CALLS_PER_JOB = 10


class Identity(NamedTuple):
    """Who we are in which org, by ids of 18 characters; no name is kept."""

    user_id: str
    org_id: str


class SalesforceClient:
    """
    Safe to use from several threads. Reading yields records; writing returns one
    result per row and raises only when a whole call failed.
    """

    def __init__(
        self,
        vault: TokenVault,
        login: Callable[[Token | None], Token],
        settings: SalesforceSettings,
        *,
        on_call: Callable[[], None] | None = None,
        client_name: str = "aurora-sync",
        polling: Polling | None = None,
    ) -> None:
        source = SessionSource(vault, login)
        self._wire = Wire(source, settings, on_call=on_call, client_name=client_name)
        self._polling = polling or Polling()
        self._described: dict[str, tuple[datetime, DescribedObject]] = {}
        self._describing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every thread's session."""
        self._wire.close()

    @property
    def usage(self) -> Usage | None:
        """The org's daily calls as the newest answer told them."""
        return self._wire.usage

    @property
    def server_time(self) -> datetime | None:
        """The org's clock as the newest answer told it; it bounds changed-since."""
        return self._wire.server_time

    @property
    def ingest(self) -> BulkIngest:
        return BulkIngest(self._wire.send, self._polling)

    def connection(self) -> Connection:
        """Return the session as a value, for callers with a session of their own."""
        return self._wire.connection()

    def ping(self) -> None:
        """Make one cheap signed call; raise what is wrong."""
        self.limits()

    def limits(self) -> Usage:
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-limits.html
        answer = self._wire.send(Call("GET", "limits", "limits"))
        return payloads.decode(payloads.LimitsAnswer, answer.content, "limits").usage()

    def identity(self) -> Identity:
        try:
            answer = self._wire.send(
                Call("GET", "/services/oauth2/userinfo", "userinfo")
            )
        except PermissionMissing:
            # An app without the openid scope; the login said who we are.
            return self._identity_by_query()
        info = payloads.decode(payloads.UserInfo, answer.content, "userinfo")
        user_id = payloads.long_id(info.user_id)
        return Identity(user_id, payloads.long_id(info.organization_id))

    def _identity_by_query(self) -> Identity:
        rows = self._query(queries.organization(), payloads.OrganizationRow, "identity")
        org_id = next(iter(rows)).Id
        subject = self._wire.token().subject
        if not subject:
            detail = "neither the login nor userinfo names the user"
            raise ContractBroken(SERVICE, "identity", detail=detail)
        return Identity(subject, payloads.long_id(org_id))

    def record_count(self, name: str) -> int:
        """Return the org's own estimate, which lags; an absent object counts zero."""
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-record-count.html
        path = f"limits/recordCount?sObjects={quote(name, safe='')}"
        answer = self._wire.send(Call("GET", path, "record count"))
        counts = payloads.decode(payloads.RecordCounts, answer.content, "record count")
        return next((c.count for c in counts.sObjects if c.name == name), 0)

    def describe(self, *names: str, fresh: bool = False) -> dict[str, DescribedObject]:
        """
        Describe objects by name, from memory for an hour; `fresh` asks again.

        An object that is missing or hidden from the API user is absent from the
        answer. One call for up to 25 objects.
        """
        with self._describing:
            oldest = clock.now() - DESCRIBED_FOR
            wanted = [
                name
                for name in dict.fromkeys(names)
                if fresh
                or name not in self._described
                # An absent object is asked for again: a deploy may have brought it.
                or self._described[name][0] <= oldest
            ]
            for name in wanted:
                self._described.pop(name, None)
            for chunk in _chunks(wanted, PARTS):
                self._describe(chunk)
            known = self._described
            return {name: known[name][1] for name in names if name in known}

    def _describe(self, names: Sequence[str]) -> None:
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-sobject-describe.html
        requests = [
            Request("GET", f"sobjects/{quote(name, safe='')}/describe")
            for name in names
        ]
        parts = writes.composite(self._wire, requests, "describe", {})
        for name, part in zip(names, parts, strict=True):
            if part.httpStatusCode == 404:
                continue
            body = _good(part, f"describe {name}", subject=name)
            answer = payloads.decode(payloads.DescribeAnswer, body, f"describe {name}")
            self._described[name] = (clock.now(), answer.record())

    def contacts_changed_since(
        self,
        moment: datetime | None,
        until: datetime,
        *,
        not_by: str | None,
        within: Sequence[tuple[datetime, datetime]] | None = None,
    ) -> Iterator[Contact]:
        """
        Yield Contacts changed in [moment, until), deleted ones too, oldest change
        first; overlap, for rows become visible late. Left out is what `not_by` changed
        last: at any time, or `within` the given times alone.
        """
        query = queries.contacts_changed_since(moment, until, not_by, within)
        rows = self._query(query, payloads.ContactRow, "query Contact", deleted=True)
        return (row.record() for row in rows)

    def all_contacts(self) -> Iterator[Contact]:
        """Yield every Contact that has an e-mail, in no order, through a query job."""
        for row in self._bulk_query(queries.all_contacts(), "Contact"):
            yield payloads.contact(row)

    def contacts_by_email(self, emails: Sequence[str]) -> Iterator[Contact]:
        """
        Yield the Contacts with one of `emails`, in no order; case does not matter.

        One call for about 1,500 addresses, in a body: an address in a URL would
        stand in every access log on the way.
        """
        chunks = [
            Request("GET", payloads.query_path(queries.contacts_by_email(chunk)))
            for chunk in queries.email_chunks(emails)
        ]
        operation = "query Contact"
        for requests in _chunks(chunks, HEAVY_PARTS):
            for part in writes.composite(self._wire, requests, operation, {}):
                first = _good(part, operation, subject="Contact")
                for row in self._pages(first, payloads.ContactRow, operation):
                    yield row.record()

    def contacts_created_by(self, community: str, user_id: str) -> Iterator[str]:
        """Yield ids of the community's Contacts that only `user_id` ever wrote."""
        query = queries.contacts_created_by(community, user_id)
        rows = self._query(query, payloads.KeyedContactRow, "query Contact")
        prefix = f"{community}:"
        for row in rows:
            if (row.Community_Member_Key__c or "").startswith(prefix):
                yield row.Id

    def community_users(self, community: str) -> Iterator[CommunityUserRef]:
        """Yield the community's Community Users, in no order."""
        query, operation = queries.community_users(community), "query Community_User__c"
        first = self._first_page(query, operation)
        if payloads.decode(payloads.Page, first, operation).totalSize > PAGED_ROWS:
            for row in self._bulk_query(query, "Community_User__c"):
                yield payloads.community_user(row)
            return
        for found in self._pages(first, payloads.CommunityUserRow, operation):
            yield found.record()

    def upsert(
        self, object_name: str, key_field: str, rows: Sequence[Row]
    ) -> list[RowResult]:
        """
        Save rows by their key and return one result per row, in order.

        With the key field `Id` the records are updated and must exist. One call for
        1,000 rows. Safe to repeat. Raises ValueError where a key is missing or comes
        twice, for the org would refuse all rows that share it.
        """
        return writes.upsert(self._wire, object_name, key_field, rows)

    def delete(self, ids: Sequence[str]) -> list[RowResult]:
        """Delete records, to the recycle bin; one result per id, in order."""
        return writes.delete(self._wire, ids)

    def _bulk_query(self, query: str, object_name: str) -> Iterator[list[str]]:
        columns = query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")
        jobs = BulkQuery(self._wire.send, self._polling)
        return jobs.rows(query, columns, subject=object_name)

    def _query(
        self, query: str, kind: type[T], operation: str, *, deleted: bool = False
    ) -> Iterator[T]:
        first = self._first_page(query, operation, deleted=deleted)
        return self._pages(first, kind, operation)

    def _first_page(
        self, query: str, operation: str, *, deleted: bool = False
    ) -> bytes:
        # https://developer.salesforce.com/docs/platform/api-rest/guide/resources-query.html
        path = payloads.query_path(query)
        if deleted:
            path = path.replace("query?", "queryAll?", 1)
        return self._wire.send(Call("GET", path, operation)).content

    def _pages(
        self, first: bytes | msgspec.Raw, kind: type[T], operation: str
    ) -> Iterator[T]:
        """Yield the records of a page and of all that follow it."""
        body, seen = first, set()
        while True:
            page = payloads.decode(payloads.Page, body, operation)
            yield from payloads.decode(list[kind], page.records, operation)  # type: ignore[valid-type]  # a type at run time
            if page.done:
                return
            following = page.nextRecordsUrl
            if not following or following in seen:
                detail = "a next page is missing or came twice - at `$.nextRecordsUrl`"
                raise ContractBroken(SERVICE, operation, detail=detail)
            seen.add(following)
            body = self._wire.send(Call("GET", following, operation)).content


def _good(part: payloads.Part, operation: str, *, subject: str) -> msgspec.Raw:
    if part.httpStatusCode >= 300:
        status, body = part.httpStatusCode, bytes(part.body)
        raise refusal(status, body, operation, subject=subject)
    return part.body


def _chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def api_calls_for(rows: int, *, bulk_from_rows: int, bulk_job_rows: int) -> int:
    """Estimate the calls that writing `rows` will cost; the polls are a guess."""
    if rows < bulk_from_rows:
        return math.ceil(rows / writes.ROWS_PER_CALL)
    return math.ceil(rows / bulk_job_rows) * CALLS_PER_JOB
