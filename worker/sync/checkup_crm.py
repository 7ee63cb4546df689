"""The doctor's look at the org: sign-in, version, quota, clock, objects and fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import requests

from worker import http
from worker.domain import mapping
from worker.domain.budget import calls_left
from worker.domain.fitting import missing_fields
from worker.domain.records import Stream
from worker.errors import RemoteUnavailable, WorkerError
from worker.sync.findings import Finding, bad, good, refusal, skew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from worker.domain.feature_settings import FeatureSettings
    from worker.domain.mapping import FieldRule
    from worker.domain.records import DescribedObject, Usage
    from worker.salesforce.client import SalesforceClient
    from worker.settings import Settings

SIDE = "org"
DEPLOY = "`aurora-sync salesforce deploy` puts it in and assigns the permission set"
CONTACT_RIGHTS = (
    "`aurora-sync salesforce deploy` assigns the permission set Aurora_Sync, which "
    "has these rights; or switch the setting off"
)

_TEXT = frozenset({"string", "textarea", "email", "url", "phone", "picklist"})
_NUMBER = frozenset({"double", "int", "long", "currency", "percent"})
# What the org's field may be, by the member attribute that feeds it; else text.
_TYPES: dict[str, frozenset[str]] = {
    "deleted": frozenset({"boolean"}),
    "registered_at": frozenset({"datetime"}),
    "last_visit_at": frozenset({"datetime"}),
    **dict.fromkeys(
        (
            "member_id",
            "logins",
            "minutes_online",
            "page_views",
            "posts",
            "messages_read",
            "private_messages_sent",
            "private_messages_received",
            "kudos_received",
            "accepted_solutions",
            "average_rating",
        ),
        _NUMBER,
    ),
}


class _Version(msgspec.Struct):
    version: str


def examine(
    settings: Settings,
    client: SalesforceClient,
    features: FeatureSettings,
    now: Callable[[], datetime],
) -> Iterator[Finding]:
    """Yield findings; what cannot be asked without what failed is left out."""
    try:
        who = client.identity()
        usage = client.limits()
    except WorkerError as error:
        yield refusal(SIDE, "login", error)
        return
    yield good(SIDE, "login", f"signed in as {who.user_id} in org {who.org_id}")
    yield skew(SIDE, client.server_time, now())
    yield _quota(usage, features)
    try:
        yield _version(settings, client.connection().instance_url)
        wanted = (mapping.COMMUNITY_USER, mapping.CONTACT)
        described = client.describe(*wanted, fresh=True)
    except WorkerError as error:
        yield refusal(SIDE, "objects", error)
        return
    yield from _community_user(described.get(mapping.COMMUNITY_USER))
    yield from _contact(described.get(mapping.CONTACT), features)


def _quota(usage: Usage, features: FeatureSettings) -> Finding:
    told = f"{usage.used:,} of {usage.allowed:,} calls used today"
    if calls_left(usage, Stream.MEMBERS, features.api_budget_percent) != 0:
        return good(SIDE, "quota", told)
    cure = "wait for the org's 24 hours to pass, or raise api_budget_percent"
    return bad(SIDE, "quota", told, cure)


def _version(settings: Settings, instance_url: str) -> Finding:
    offered = _versions(settings, instance_url)
    ours = settings.salesforce.api_version
    if ours in offered:
        return good(SIDE, "API version", f"{ours} is offered")
    newest = max(offered, key=float, default="")
    what = f"{ours} is not offered"
    return bad(SIDE, "API version", what, f"set SYNC_SALESFORCE__API_VERSION={newest}")


def _versions(settings: Settings, instance_url: str) -> list[str]:
    """Ask which versions there are; the one call that needs no session."""
    try:
        with http.session(
            connect_timeout=settings.salesforce.connect_timeout,
            read_timeout=settings.salesforce.read_timeout,
        ) as session:
            answer = session.get(f"{instance_url}/services/data/")
        rows = msgspec.json.decode(answer.content, type=list[_Version])
    except (requests.RequestException, msgspec.MsgspecError) as error:
        detail = f"no list of versions ({type(error).__name__})"
        raise RemoteUnavailable("salesforce", "versions", detail=detail) from error
    return [row.version for row in rows]


def _community_user(found: DescribedObject | None) -> Iterator[Finding]:
    name = mapping.COMMUNITY_USER
    if found is None:
        yield bad(SIDE, name, "not there, or not visible to the API user", DEPLOY)
        return
    rights = {
        "create": found.createable,
        "edit": found.updateable,
        "delete": found.deletable,
    }
    yield from _rights(name, rights, DEPLOY)
    rules = (*mapping.MEMBER_FIELDS, *mapping.SLOW_FIELDS)
    yield from _fields(found, rules, mapping.LINK_FIELDS)
    key = found.fields.get(mapping.COMMUNITY_USER_KEY)
    if key and not (key.external_id and key.unique):
        what = f"{key.name} is not a unique external id"
        yield bad(SIDE, name, what, DEPLOY)


def _contact(
    found: DescribedObject | None, features: FeatureSettings
) -> Iterator[Finding]:
    if found is None:
        if features.link_contacts:
            cure = f"{CONTACT_RIGHTS} (link_contacts)"
            yield bad(SIDE, mapping.CONTACT, "not visible to the API user", cure)
        return
    needed = {}
    rules: list[FieldRule] = []
    if features.contact_fields:
        needed["edit"] = found.updateable
        rules += mapping.CONTACT_FIELDS
    if features.create_new_contact:
        needed["create"] = found.createable
        rules += mapping.NEW_CONTACT_FIELDS
    yield from _rights(mapping.CONTACT, needed, CONTACT_RIGHTS)
    yield from _fields(found, rules, ())


def _rights(name: str, rights: dict[str, bool], cure: str) -> Iterator[Finding]:
    missing = [right for right, given in rights.items() if not given]
    for right in missing:
        yield bad(SIDE, name, f"the API user may not {right} records", cure)
    if not missing:
        may = ", ".join(rights) or "read"
        yield good(SIDE, name, f"the API user may {may}")


def _fields(
    found: DescribedObject, rules: Iterable[FieldRule], others: Iterable[str]
) -> Iterator[Finding]:
    wanted = {rule.field: rule for rule in rules}
    names = [*wanted, *others]
    lacking = missing_fields(found, found.name, names)
    for one in lacking:
        yield bad(SIDE, f"{found.name}.{one.field}", one.why, DEPLOY)
    absent = {one.field for one in lacking}
    misfits = [
        rule
        for rule in wanted.values()
        if rule.field not in absent
        and found.fields[rule.field].type not in _TYPES.get(rule.source, _TEXT)
    ]
    for rule in misfits:
        kind = found.fields[rule.field].type
        what = f"is of type {kind}, which cannot hold {rule.source.lstrip('=')}"
        cure = "change the field's type in the org to the package's"
        yield bad(SIDE, f"{found.name}.{rule.field}", what, cure)
    if names and not lacking and not misfits:
        yield good(SIDE, f"{found.name} fields", f"all {len(names)} are writable")
