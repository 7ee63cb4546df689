"""
Answers LiQL queries from the community's search index: rights, fields, filters, pages.
Returns plain data; the envelopes are the handlers'.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from worker.sandbox.aurora.catalogue import projection, rank_object, user_fields
from worker.sandbox.aurora.errors import BadQuery, NotAuthorized, NotEmulated
from worker.sandbox.aurora.filters import conjuncts, test_for
from worker.sandbox.aurora.paging import (
    Cursor,
    candidates,
    fingerprint_of,
    order_of,
    page,
    read_cursor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.index import Key
    from worker.sandbox.aurora.liql import Query
    from worker.sandbox.aurora.members import Member

MESSAGE_FIELDS = frozenset(
    [
        "attachments",
        "author",
        "board",
        "board_relative_id",
        "body",
        "can_accept_solution",
        "canonical_url",
        "content_workflow",
        "context_id",
        "context_url",
        "contributors",
        "conversation",
        "cover_image",
        "current_revision",
        "custom_tag_scope",
        "custom_tags",
        "depth",
        "device_id",
        "excluded_from_kudos_leaderboards",
        "href",
        "id",
        "images",
        "is_answer",
        "is_escalated",
        "is_image_comment",
        "is_promoted",
        "is_solution",
        "kudos",
        "labels",
        "language",
        "last_publish_time",
        "manual_sort",
        "me_toos",
        "metrics",
        "moderation_approval_date",
        "moderation_status",
        "moderation_style",
        "occasion_data",
        "parent",
        "placeholder",
        "popularity",
        "post_time",
        "post_time_friendly",
        "ratings",
        "read_only",
        "replies",
        "search_snippet",
        "seo_description",
        "seo_title",
        "solution_data",
        "status",
        "subject",
        "tags",
        "teaser",
        "tkb_helpfulness_ratings",
        "topic",
        "user_context",
        "videos",
        "view_href",
        "winner",
    ]
)
_ONE_WORD = {
    "messages": "message",
    "users": "user",
    "roles": "role",
    "ranks": "rank",
    "kudos": "kudo",
}
NOT_EMULATED = frozenset(
    [
        "albums",
        "attachments",
        "boards",
        "bookmarks",
        "categories",
        "communities",
        "custom_tags",
        "floated_messages",
        "grouphubs",
        "images",
        "inbox_notes",
        "labels",
        "me_toos",
        "membership_requests",
        "metrics",
        "nodes",
        "notes_threads",
        "notification_feeds",
        "outbox_notes",
        "products",
        "product_categories",
        "ratings",
        "reviews",
        "subscriptions",
        "tags",
        "threaded_notes",
        "tkb_helpfulness_ratings",
        "videos",
    ]
)


class Rights(StrEnum):
    """What a caller sees: nobody, what members see, everything."""

    ANONYMOUS = "anonymous"
    MEMBER = "member"
    ADMINISTRATOR = "administrator"


class Caller(NamedTuple):
    member_id: int
    rights: Rights


ANONYMOUS = Caller(-1, Rights.ANONYMOUS)


def run(community: Community, query: Query, caller: Caller) -> dict[str, Any]:
    """Answer one query with the `data` of the answer."""
    _refuse_bad_paging(community, query)
    if (
        caller.rights is Rights.ANONYMOUS
        and community.switches.anonymous_search_is_refused
    ):
        raise NotAuthorized
    search = _COLLECTIONS.get(query.collection)
    if search is not None:
        with community.lock:
            return search(community, query, caller)
    if query.collection in NOT_EMULATED:
        raise NotEmulated(f"the collection {query.collection}")
    raise BadQuery(f"no collection {query.collection}")


def _refuse_bad_paging(community: Community, query: Query) -> None:
    switches = community.switches
    too_many = query.limit is not None and query.limit > switches.limit_maximum
    if too_many and not switches.limit_above_maximum_is_clamped:
        raise BadQuery("LIMIT above the maximum")
    maximum = switches.offset_maximum
    if query.offset and maximum is not None and query.offset > maximum:
        raise BadQuery("OFFSET above the maximum")


def _page_size(community: Community, query: Query) -> int:
    switches = community.switches
    size = switches.default_limit if query.limit is None else query.limit
    size = min(size, switches.limit_maximum)
    return size if switches.page_size is None else min(size, switches.page_size)


def _users(community: Community, query: Query, caller: Caller) -> dict[str, Any]:
    catalogue = user_fields(community)
    test = test_for(query.where, community.switches)
    order = order_of(query.order)
    sees_all = caller.rights is Rights.ADMINISTRATOR
    fields = () if query.counts_rows else query.fields
    write = projection(catalogue, fields, sees_private=sees_all)
    own = projection(catalogue, fields, sees_private=True)
    after: Key | None = None
    if query.cursor is not None:
        after = read_cursor(query.cursor, query, community.tenant).last
    if caller.rights is Rights.ANONYMOUS:
        return _count(query, 0) if query.counts_rows else _list(query, [], None)
    index = community.searchable()
    rows = candidates(query, index, order, community.switches, after)
    if test is not None:
        rows = filter(test, rows)
    if query.counts_rows:
        return _count(query, sum(1 for _ in rows))
    size = _page_size(community, query)
    for _ in zip(range(query.offset or 0), rows, strict=False):
        pass
    members, more = page(rows, size)
    items = [(own if m.id == caller.member_id else write)(m) for m in members]
    following = None
    if more and members:
        first, last = order.key(members[0]), order.key(members[-1])
        fingerprint = fingerprint_of(query, community.tenant)
        following = Cursor(fingerprint, last).text(size, first)
    return _list(query, items, following)


def user(community: Community, member: Member, caller: Caller) -> dict[str, Any]:
    """One member as `GET /users/{id}` gives it: all fields, collections as pointers."""
    sees = caller.rights is Rights.ADMINISTRATOR or caller.member_id == member.id
    with community.lock:
        return projection(user_fields(community), (), sees_private=sees)(member)


def _roles(community: Community, query: Query, caller: Caller) -> dict[str, Any]:
    names = ("id", "name", "href", "users", "node")
    _refuse_unknown(query, lambda name: name in names)
    if caller.rights is not Rights.ADMINISTRATOR:
        raise NotAuthorized
    wanted = _only_constraint(query, {"users.id", "id"})
    role_ids = list(community.roles)
    if wanted is not None and wanted[0] == "users.id":
        member = community.account(int(wanted[1])) if wanted[1].isdigit() else None
        role_ids = list(member.roles) if member else []
    elif wanted is not None:
        role_ids = [role_id for role_id in role_ids if role_id == wanted[1]]
    items = [
        {
            "type": "role",
            "id": role_id,
            "href": f"/roles/{role_id}",
            "name": community.roles[role_id].name,
            "users": {
                "query": f"SELECT * FROM users WHERE roles.id = '{role_id}'"  # noqa: S608 -- LiQL, shown only
            },
        }
        for role_id in role_ids
    ]
    return _few(community, query, items)


def _ranks(community: Community, query: Query, _: Caller) -> dict[str, Any]:
    items = [rank_object(rank) for rank in community.ranks.values()]
    _refuse_unknown(query, lambda name: name in items[0])
    wanted = _only_constraint(query, {"id", "name"})
    if wanted is not None:
        items = [item for item in items if item[wanted[0]] == wanted[1]]
    return _few(community, query, items)


def _kudos(community: Community, query: Query, _: Caller) -> dict[str, Any]:
    """Kudos are counted, not kept one by one: their rows are not emulated."""
    wanted = _only_constraint(query, {"message.author.id", "user.id", "message.id"})
    if not query.counts_rows:
        raise NotEmulated("the rows of the collection kudos")
    if wanted is None or not wanted[1].isdigit():
        return _count(query, 0)
    member = community.account(int(wanted[1]))
    if member is None or wanted[0] == "message.id":
        return _count(query, 0)
    received = wanted[0] == "message.author.id"
    return _count(query, member.kudos_received if received else member.kudos_given)


def _messages(community: Community, query: Query, _: Caller) -> dict[str, Any]:
    """No message is kept yet: the fields are checked, the rows are none."""
    _refuse_unknown(query, lambda name: name in MESSAGE_FIELDS)
    for comparison in conjuncts(query.where):
        if comparison.field.path[0] not in {
            *MESSAGE_FIELDS,
            "category",
            "participants",
        }:
            raise BadQuery("no such constraint")
        timed = comparison.field.text == "post_time"
        if timed and not community.switches.post_time_constraint:
            raise BadQuery("no constraint post_time")
    return _count(query, 0) if query.counts_rows else _list(query, [], None)


def _refuse_unknown(query: Query, known: Callable[[str], bool]) -> None:
    for field in query.fields:
        if not query.counts_rows and not (field.path and known(field.path[0])):
            raise BadQuery("unknown field")


def _only_constraint(query: Query, names: set[str]) -> tuple[str, str] | None:
    found = conjuncts(query.where)
    if query.where is None:
        return None
    if len(found) != 1 or found[0].operator != "=" or found[0].field.text not in names:
        raise BadQuery("no such constraint")
    return found[0].field.text, str(found[0].value)


def _few(
    community: Community, query: Query, items: list[dict[str, Any]]
) -> dict[str, Any]:
    """A small collection: named fields only, paged by position."""
    if query.counts_rows:
        return _count(query, len(items))
    start = query.offset or 0
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, query, community.tenant)
        start = int(cursor.last[0])
    end = start + _page_size(community, query)
    wanted = {"type", *(field.path[0] for field in query.fields)}
    rows = [
        {name: value for name, value in item.items() if name in wanted}
        if query.fields
        else item
        for item in items[start:end]
    ]
    following = None
    if end < len(items):
        fingerprint = fingerprint_of(query, community.tenant)
        following = Cursor(fingerprint, (end,)).text(end - start, (start,))
    return _list(query, rows, following)


def _list(
    query: Query, items: list[dict[str, Any]], next_cursor: str | None
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "type": query.collection,
        "list_item_type": _ONE_WORD[query.collection],
        "size": len(items),
        "items": items,
    }
    if next_cursor is not None:
        data["next_cursor"] = next_cursor
    return data


def _count(query: Query, count: int) -> dict[str, Any]:
    return {
        "type": query.collection,
        "list_item_type": _ONE_WORD[query.collection],
        "size": 0,
        "items": [],
        "count": count,
    }


_COLLECTIONS: dict[str, Callable[[Community, Query, Caller], dict[str, Any]]] = {
    "users": _users,
    "roles": _roles,
    "ranks": _ranks,
    "kudos": _kudos,
    "messages": _messages,
}
