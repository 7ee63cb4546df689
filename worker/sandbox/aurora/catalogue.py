"""
What a user object holds, field by field: how each is read from a member, who may see
it, and how a list of fields becomes one function that writes the object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.sandbox.aurora.errors import BadQuery, NotEmulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.sandbox.aurora.community import Community
    from worker.sandbox.aurora.liql import Field
    from worker.sandbox.aurora.members import Member

    Reader = Callable[[Member], Any]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value; `private` ones are shown to administrators and oneself only."""

    read: Reader
    private: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    """`whole` writes the object when no child of it is named."""

    type: str
    children: dict[str, Node]
    whole: Reader | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Pointer:
    """A collection of the member's: named alone, it is the query that would list it."""

    query: str
    aggregates: dict[str, Reader]
    private: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """A field the vendor has and this sandbox has not."""

    private: bool = False


Node = Leaf | Object | Pointer | Missing


_MISSING = ("personal_data", "settings", "reviews", "signature_topics")


def user_fields(community: Community) -> Object:
    children: dict[str, Node] = {
        **_profile(community),
        **_parts(community),
        **_pointers(),
        **{name: _custom(name) for name in sorted(community.custom_fields)},
        **{name: Missing() for name in _MISSING},
    }
    return Object("user", children)


def _profile(community: Community) -> dict[str, Node]:
    zone, host = community.zone, community.public_url
    return {
        "id": Leaf(lambda m: str(m.id)),
        "href": Leaf(lambda m: f"/users/{m.id}"),
        "view_href": Leaf(lambda m: profile_url(host, m)),
        "login": Leaf(lambda m: m.login),
        "email": Leaf(lambda m: m.email, private=True),
        "first_name": Leaf(lambda m: m.first_name, private=True),
        "last_name": Leaf(lambda m: m.last_name, private=True),
        "biography": Leaf(lambda m: m.biography),
        "location": Leaf(lambda m: m.location),
        "sso_id": Leaf(lambda m: m.sso_id, private=True),
        "web_page_url": Leaf(lambda m: m.web_page_url),
        "language": Leaf(lambda m: m.language),
        "banned": Leaf(lambda m: m.banned),
        "deleted": Leaf(lambda m: m.deleted),
        "online_status": Leaf(lambda m: m.online_status),
        "email_excluded": Leaf(lambda _: False, private=True),
        "is_owner": Leaf(lambda _: False),
        "personal_info_privacy": Leaf(lambda _: "none"),
        "email_address_privacy": Leaf(lambda _: "none"),
        "online_status_privacy": Leaf(lambda _: "all"),
        # Documented and never set here: left out, as every empty field is.
        "cover_image": Leaf(lambda _: None),
        "mailbox": Leaf(lambda _: {"type": "mailbox"}, private=True),
        "bonus_points": Leaf(lambda _: 0),
        "kudos_weight": Leaf(lambda _: 1),
        "join_date": Leaf(lambda m: zone.text(m.registration_time)),
        "last_visit_time": Leaf(
            lambda m: (
                None if m.last_visit_time is None else zone.text(m.last_visit_time)
            )
        ),
    }


METRICS = (
    "logins",
    "minutes_online",
    "posts",
    "private_messages_received",
    "private_messages_sent",
    "page_views",
    "messages_read",
)
_AVATAR_SIZES = ("profile", "message", "inline", "favicon", "print")


def _parts(community: Community) -> dict[str, Node]:
    zone, host = community.zone, community.public_url
    avatar = {size: _avatar(host, size) for size in _AVATAR_SIZES}
    metrics: dict[str, Node] = {name: Leaf(_attribute(name)) for name in METRICS}
    registration: dict[str, Node] = {
        "registration_time": Leaf(lambda m: zone.text(m.registration_time)),
        "status": Leaf(lambda m: m.status),
        "registration_access_level": Leaf(lambda _: "all"),
        "confirm_email_status": Leaf(lambda m: m.email is not None),
        "sso_registration_fields": Leaf(lambda _: []),
    }
    return {
        "rank": _rank(community),
        "avatar": Object("avatar", avatar),
        "metrics": Object("user_metrics", metrics, private=True),
        "registration_data": Object("registration_data", registration),
    }


def _rank(community: Community) -> Object:
    whole = {rank.id: rank_object(rank) for rank in community.ranks.values()}

    def part(name: str) -> Leaf:
        return Leaf(lambda m: whole[m.rank_id][name])

    names = ("id", "name", "position", "bold", "color", "rank_status")
    children: dict[str, Node] = {name: part(name) for name in names}
    return Object("rank", children, whole=lambda m: whole[m.rank_id])


def _avatar(host: str, size: str) -> Node:
    return Leaf(lambda m: avatar_url(host, m, size))


def _pointers() -> dict[str, Node]:
    def pointer(query: str, **aggregates: Reader) -> Pointer:
        return Pointer(query, {"count(*)": lambda _: 0, **aggregates})

    posts = pointer("messages WHERE author.id", **{"count(*)": _attribute("posts")})
    solutions = Pointer(
        "SELECT * FROM messages WHERE author.id = '{id}' AND is_solution = true",
        {"count(*)": _attribute("solutions")},
    )
    received = {"sum(weight)": _attribute("kudos_received")}
    given = {"sum(weight)": _attribute("kudos_given")}
    owned = ("albums", "images", "public_images", "videos")
    listed: dict[str, Node] = {
        "messages": posts,
        "topics": pointer("messages WHERE depth = 0 AND author.id"),
        "kudos_received": pointer("kudos WHERE message.author.id", **received),
        "kudos_given": pointer("kudos WHERE user.id", **given),
        "roles": Pointer(
            "SELECT * FROM roles WHERE users.id = '{id}'",
            {"count(*)": lambda m: len(m.roles)},
        ),
        "user_badges": pointer("user_badges WHERE user.id"),
        "followers": pointer("users WHERE following.id"),
        "following": pointer("users WHERE followers.id"),
        "nodes": pointer("nodes WHERE owner.id"),
        "threads_participated": pointer("messages WHERE participants.id"),
        **{name: pointer(f"{name} WHERE owner.id") for name in owned},
    }
    return {
        **{name: _spelled(node) for name, node in listed.items()},
        "solutions_authored": solutions,
    }


def _spelled(node: Node) -> Node:
    if isinstance(node, Pointer) and not node.query.startswith("SELECT"):
        query = f"SELECT * FROM {node.query} = '{{id}}'"  # noqa: S608 -- LiQL, shown only
        return Pointer(query, node.aggregates)
    return node


def _attribute(name: str) -> Reader:
    return lambda m: getattr(m, name)


def _custom(name: str) -> Leaf:
    return Leaf(lambda m: m.custom.get(name) if m.custom else None, private=True)


def rank_object(rank: Any) -> dict[str, Any]:  # noqa: ANN401 -- members.Rank, kept out of the imports
    return {
        "type": "rank",
        "id": str(rank.id),
        "href": f"/ranks/{rank.id}",
        "name": rank.name,
        "position": rank.position,
        "bold": rank.bold,
        "color": rank.color,
        "icon_left": f"/html/@rank/{rank.id}.svg",
        "formula_enabled": True,
        "formula": "",
        "rank_status": "active",
        "simple_criteria": {},
    }


def profile_url(host: str, member: Member) -> str:
    return f"{host}/t5/user/viewprofilepage/user-id/{member.id}"


def avatar_url(host: str, member: Member, size: str) -> str | None:
    if not member.has_avatar:
        return None
    image = f"{member.id}i{member.id * 2_654_435_761 % 2**32:08X}"
    url = f"{host}/t5/image/serverpage/image-id/{image}/image-dimensions/{size}"
    # About one in fifty is longer than 255 letters, as signed addresses are.
    return (
        url
        if member.id % 50
        else f"{url}?v=v2&whitelist-exif-data={'Orientation%2C' * 18}Date"
    )


Selection = dict[str, Any]


def projection(
    root: Object, fields: Iterable[Field], *, sees_private: bool
) -> Callable[[Member], dict[str, Any]]:
    """Compile the fields, `*` if none, into one function; refuse what is not known."""
    selected: Selection = {}
    for field in fields:
        _select(
            root,
            selected,
            (*field.path, *([field.aggregate] if field.aggregate else [])),
        )
    if not selected:
        selected = {
            name: None
            for name, node in root.children.items()
            if not isinstance(node, Missing)
        }
    return _object(root, selected, sees_private=sees_private)


def _select(node: Node, selected: Selection, path: tuple[str, ...]) -> None:
    name, *rest = path
    child = _child(node, name)
    if not rest:
        selected.setdefault(name, None)
    else:
        below = selected.setdefault(name, {})
        if below is None:
            below = selected[name] = {}
        _select(child, below, tuple(rest))


def _child(node: Node, name: str) -> Node:
    if isinstance(node, Pointer) and name in node.aggregates:
        return Leaf(node.aggregates[name])
    if not isinstance(node, Object) or name not in node.children:
        raise BadQuery(f"unknown field {name}")
    child = node.children[name]
    if isinstance(child, Missing):
        raise NotEmulated(f"the field {name}")
    return child


def _object(
    node: Object, selected: Selection, *, sees_private: bool
) -> Callable[[Member], dict[str, Any]]:
    readers = [
        (name, _reader(node.children[name], below, sees_private=sees_private))
        for name, below in selected.items()
        if sees_private or not node.children[name].private
    ]
    kind = node.type

    def write(member: Member) -> dict[str, Any]:
        item: dict[str, Any] = {"type": kind}
        for name, read in readers:
            value = read(member)
            if value is not None:
                item[name] = value
        return item

    return write


def _reader(node: Node, below: Selection | None, *, sees_private: bool) -> Reader:
    if isinstance(node, Leaf):
        return node.read
    if isinstance(node, Pointer):
        return _pointer(node, below)
    if not isinstance(node, Object):
        raise TypeError("a missing field was selected")
    if below is None and node.whole is not None:
        return node.whole
    write = _object(
        node, below or dict.fromkeys(node.children), sees_private=sees_private
    )

    # An object of which nothing is set is left out, as a single empty field is.
    def read(member: Member) -> dict[str, Any] | None:
        item = write(member)
        return item if len(item) > 1 else None

    return read


def _pointer(node: Pointer, below: Selection | None) -> Reader:
    """`count(*)` becomes `{"count": n}`, `sum(weight)` `{"sum": {"weight": n}}`."""
    if below is None:
        return lambda m: {"query": node.query.replace("{id}", str(m.id))}
    parts = [(name, node.aggregates[name]) for name in below]

    def read(member: Member) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for name, value in parts:
            function, _, argument = name.rstrip(")").partition("(")
            answer[function] = (
                value(member) if argument == "*" else {argument: value(member)}
            )
        return answer

    return read
