"""
The community's reads: one method each, iterators of records out. How a call is sent
is the connection's business; what a record means is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from worker.aurora import payloads, queries
from worker.aurora.connection import Allowance, AllowanceSpent, Call, Connection
from worker.aurora.responses import SERVICE, SearchRefused
from worker.domain.records import SlowFields
from worker.errors import ContractBroken, PermissionMissing, RecordGone, TokenRefused
from worker.settings import AuroraAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    import msgspec

    from worker.aurora.pace import Pace
    from worker.aurora.queries import Query
    from worker.domain.records import Member
    from worker.domain.tokens import Token, TokenVault
    from worker.settings import AuroraSettings

# Queries of one list search: what it takes is published nowhere; clients chunk ids by
# 25 to avoid timeouts, and these queries are by key.
LIST_SIZE = 50
SEARCH = "/api/2.0/search"
V1 = "/restapi/vc"

T = TypeVar("T")


class Caller(NamedTuple):
    """
    Who the API user is. `user_id` is -1 for the anonymous user.

    `roles` is empty too where it may not see them; `sees_emails` is None when there is
    no other member to tell by.
    """

    user_id: int
    roles: tuple[str, ...]
    sees_emails: bool | None


def check(settings: AuroraSettings) -> list[str]:
    """Return what in the settings cannot work, each with its cure; asks nobody."""
    problems = []
    if settings.ht_user and settings.auth is AuroraAuth.OAUTH:
        problems.append(
            "SYNC_AURORA__HT_USER and auth=oauth both need the Authorization header: "
            "use SYNC_AURORA__AUTH=session, or have HT-access lifted"
        )
    if bool(settings.ht_user) != bool(settings.ht_password.get_secret_value()):
        problems.append("SYNC_AURORA__HT_USER and HT_PASSWORD go together: set both")
    return problems


class AuroraClient:
    """
    Reads one community; safe from several threads, which share one pace.

    Every method may raise RetryLater, TokenRefused, PermissionMissing (what is not
    visible is named) or ContractBroken (with the path of what was not understood).
    """

    def __init__(
        self,
        vault: TokenVault,
        obtain: Callable[[Token | None], Token],
        settings: AuroraSettings,
        *,
        on_call: Callable[[], None] | None = None,
        custom_fields: tuple[str, ...] = (),
        pace: Pace | None = None,
    ) -> None:
        self._connection = Connection(vault, obtain, settings, on_call, pace)
        self._queries = queries.MemberQueries(custom_fields, settings.page_size)
        self._decoder = payloads.MemberDecoder(settings.base_url, custom_fields)
        self._has_session = settings.auth is AuroraAuth.SESSION
        self._has_v1 = True
        self._takes_lists = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every thread's session; a later call opens new ones."""
        self._connection.close()

    @property
    def server_time(self) -> datetime | None:
        """The community's clock as the newest answer told it."""
        return self._connection.server_time

    def ping(self) -> None:
        """Return if the community answers a search with these credentials."""
        operation = "search users"
        payloads.ids(self._search(queries.any_member(), operation), operation)

    def whoami(self) -> Caller:
        """Ask who the API user is and whether it is shown other members' e-mails."""
        user_id = self._current_user()
        roles = self._own_roles(user_id)
        operation = "search users"
        shown = payloads.ids(
            self._search(queries.newest_emails(), operation), operation
        )
        others = [row for row in shown if row.id not in (user_id, -1)]
        sees = any(row.email for row in others) if others else None
        return Caller(user_id, roles, sees)

    def last_member_id(self) -> int:
        """Return the highest member id; 0 when the community shows no member."""
        operation = "search users"
        rows = payloads.ids(self._search(queries.last_member(), operation), operation)
        return max((row.id for row in rows), default=0)

    def member_pages(self, low: int, high: int | None) -> Iterator[list[Member]]:
        """
        Yield pages of members `low` to `high` inclusive, ids ascending.

        No page is empty. A repeated cursor, ids that do not rise or that lie outside
        the range raise ContractBroken: a reader would go round for ever or miss some.
        """
        last = low - 1
        for page in self._pages(self._queries.between(low, high)):
            for member in page:
                if member.member_id <= last or (high and member.member_id > high):
                    raise _broken("search users", "ids out of order or of range")
                last = member.member_id
            yield page

    def visited_pages(self, since: datetime) -> Iterator[list[Member]]:
        """
        Yield pages of members seen at or after `since`, the last visit first.

        Stops after the page in which an older one appears; one that was never there
        counts as older, unless it comes before every dated one, as some sort it.
        """
        dated = False
        for page in self._pages(self._queries.by_visit()):
            recent: list[Member] = []
            ended = False
            for member in page:
                if member.last_visit_at and member.last_visit_at >= since:
                    recent.append(member)
                    dated = True
                elif member.last_visit_at or dated:
                    ended = True
            if recent:
                yield recent
            if ended:
                return

    def members(self, ids: Sequence[int]) -> Iterator[Member]:
        """Yield the members with these ids, in order; absent ones are left out."""
        wanted = [member_id for member_id in dict.fromkeys(ids) if member_id > 0]
        for start in range(0, len(wanted), LIST_SIZE):
            chunk = wanted[start : start + LIST_SIZE]
            for member_id, found in zip(chunk, self._by_id(chunk), strict=True):
                if any(member.member_id != member_id for member in found):
                    raise _broken("search users by id", "another member than asked for")
                yield from found

    def slow_fields(self, ids: Sequence[int], *, calls: int) -> Iterator[SlowFields]:
        """
        Yield roles and rating of as many of these members as `calls` calls allow.

        In order, complete ones only; repeats after a 429 or a renewal count too. The
        rating stays None where API v1 does not take the worker's OAuth token.
        """
        allowance = Allowance(calls)
        waiting = list(dict.fromkeys(ids))
        try:
            while waiting and allowance.left > 1:
                size = min(LIST_SIZE, allowance.left - 1)
                chunk, waiting = waiting[:size], waiting[size:]
                yield from self._slow_chunk(chunk, allowance)
        except AllowanceSpent:
            return

    @staticmethod
    def slow_calls_for(n: int) -> int:
        """Return what the slow fields of `n` members cost where lists are taken."""
        return n + -(-n // LIST_SIZE)

    def _by_id(self, chunk: Sequence[int]) -> Iterable[list[Member]]:
        operation = "search users by id"
        wanted = [self._queries.one(member_id) for member_id in chunk]
        found = self._search_list(wanted, operation)
        if found is None:
            return (self._page(query).members for query in wanted)
        return _one_each(self._decoder.pages(found, operation), chunk, operation)

    def _slow_chunk(
        self, chunk: Sequence[int], allowance: Allowance
    ) -> Iterator[SlowFields]:
        operation = "search roles"
        wanted = [queries.roles_of(member_id) for member_id in chunk]
        found = self._search_list(wanted, operation, allowance)
        together = None
        if found is not None:
            lists = payloads.role_lists(found, operation)
            together = _one_each(lists, chunk, operation)
        for at, member_id in enumerate(chunk):
            if together is None:
                data = self._search(wanted[at], operation, allowance=allowance)
                roles = payloads.roles(data, operation)
            else:
                roles = together[at]
            rating, notes = self._rating(member_id, allowance)
            yield SlowFields(member_id, roles, rating, notes)

    def _rating(
        self, member_id: int, allowance: Allowance
    ) -> tuple[float | None, str | None]:
        if not self._has_v1:
            return None, None
        operation = "read user"
        path = f"{V1}/users/id/{member_id}"
        try:
            data = self._v1(path, operation, allowance)
        except RecordGone:
            # Deleted since it was listed: nothing is left to ask for.
            return None, None
        except TokenRefused as error:
            if self._has_session or error.operation != operation:
                raise
            # Whether v1 takes OAuth tokens is published nowhere; v2 has just taken it.
            self._has_v1 = False
            return None, None
        user = payloads.legacy_user(data, operation)
        return payloads.rating(user), payloads.administrative_notes(user)

    def _current_user(self) -> int:
        subject = self._connection.subject()
        if subject is not None and subject.isdigit():
            return int(subject)
        operation = "read current user"
        data = self._v1(f"{V1}/authentication/sessions/current/user", operation)
        user_id = payloads.legacy_user(data, operation).id.value
        return -1 if user_id is None else user_id

    def _own_roles(self, user_id: int) -> tuple[str, ...]:
        if user_id < 0:
            return ()
        operation = "search roles"
        try:
            found = self._search(queries.roles_of(user_id), operation)
        except PermissionMissing:
            # An ordinary member may not even see its own.
            return ()
        return payloads.roles(found, operation)

    def _pages(self, query: Query) -> Iterator[list[Member]]:
        """Yield the pages of a search that hold members, by cursor."""
        page = self._page(query)
        followed: set[str] = set()
        while True:
            if page.members:
                yield page.members
            # A short page alone does not mean the end; a missing cursor does.
            cursor = page.next_cursor
            if not cursor:
                return
            if cursor in followed:
                raise _broken("search users", "the same cursor came twice")
            followed.add(cursor)
            page = self._page(query, cursor)

    def _page(self, query: Query, cursor: str | None = None) -> payloads.MemberPage:
        operation = "search users"
        data = self._search(query, operation, cursor=cursor)
        return self._decoder.page(data, operation)

    def _search(
        self,
        query: Query,
        operation: str,
        *,
        cursor: str | None = None,
        allowance: Allowance | None = None,
    ) -> msgspec.Raw:
        call = Call(operation, "GET", SEARCH, params={"q": query.liql(cursor)})
        return self._connection.ask(call, allowance)

    def _search_list(
        self,
        wanted: Sequence[Query],
        operation: str,
        allowance: Allowance | None = None,
    ) -> msgspec.Raw | None:
        """Send several queries in one call; None where the community takes no lists."""
        if not self._takes_lists:
            return None
        body = [query.structured() for query in wanted]
        try:
            return self._connection.ask(
                Call(operation, "POST", SEARCH, body=body), allowance
            )
        except SearchRefused:
            # Asked once only; a query that is wrong itself fails again on its own.
            self._takes_lists = False
            return None

    def _v1(
        self, path: str, operation: str, allowance: Allowance | None = None
    ) -> msgspec.Raw:
        # XML is what v1 answers unless told otherwise.
        as_json = {"restapi.response_format": "json"}
        return self._connection.ask(
            Call(operation, "GET", path, params=as_json), allowance
        )


def _one_each(answers: list[T], asked: Sequence[int], operation: str) -> list[T]:
    if len(answers) != len(asked):
        detail = f"{len(answers)} answers to {len(asked)} queries"
        raise _broken(operation, detail)
    return answers


def _broken(operation: str, detail: str) -> ContractBroken:
    return ContractBroken(SERVICE, operation, status=200, detail=detail)
