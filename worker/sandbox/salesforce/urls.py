"""
Every address of the sandbox: pattern, what it counts as, who answers.

A pattern's `{name}` takes one segment, a final `*` the rest. An address without a
handler exists at the vendor and is answered 501 by its feature's name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from urllib.parse import unquote

from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.handlers import (
    bulk,
    collections,
    composite,
    control,
    discovery,
    metadata,
    query,
    rows,
    soap,
    tokens,
    tooling,
)

Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Url:
    """One address; `feature` names what a 501 is about."""

    method: str
    pattern: str
    kind: str
    handler: Handler | None = None
    feature: str = ""
    session: bool = True
    metered: bool = True
    media: str = "json"


_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
DATA = "/services/data/{version}"
ROW = f"{DATA}/sobjects/{{type}}"
INGEST = f"{DATA}/jobs/ingest"
EXPORT = f"{DATA}/jobs/query"
SOAP = "/services/Soap"


def _free(method: str, pattern: str, kind: str, handler: Handler) -> Url:
    return Url(
        method, pattern, kind, handler, session=False, metered=False, media="any"
    )


MISSING: tuple[tuple[str, str], ...] = (
    ("composite/graph", "Composite graph"),
    ("composite/tree/{type}", "sObject tree"),
    ("sobjects/{type}/describe/{part}", "Layout and quick action describes"),
    ("sobjects/{type}/describe/{part}/*", "Layout and quick action describes"),
    ("sobjects/{type}/listviews", "List views over REST"),
    ("sobjects/{type}/listviews/*", "List views over REST"),
    ("sobjects/{type}/quickActions", "Quick actions"),
    ("sobjects/{type}/quickActions/*", "Quick actions"),
    ("sobjects/{type}/{id}/{relationship}/*", "Relationship paths of a record"),
    ("tooling/*", "The Tooling API beyond queries of definitions"),
    ("search/*", "SOSL search"),
    ("parameterizedSearch/*", "Parameterized search"),
    ("actions/*", "Invocable actions"),
    ("analytics/*", "Reports and dashboards"),
    ("chatter/*", "Chatter"),
    ("connect/*", "Connect REST"),
    ("ui-api/*", "The User Interface API"),
    ("process/*", "Approval processes and rules"),
    ("quickActions/*", "Quick actions"),
    ("recent/*", "Recently viewed items"),
    ("tabs/*", "Tabs over REST"),
    ("theme/*", "Themes"),
    ("support/*", "Knowledge support"),
    ("appMenu/*", "App menus"),
    ("graphql/*", "GraphQL"),
    ("metadata/*", "Metadata over REST beyond deployRequest"),
)
MISSING_APIS: tuple[tuple[str, str], ...] = (
    ("/services/async/*", "Bulk API 1.0"),
    ("/services/apexrest/*", "Apex REST"),
    ("/services/Soap/s/*", "The Apex SOAP API"),
    ("/services/Soap/T/*", "The Tooling SOAP API"),
    ("/cometd/*", "The Streaming API"),
)

URLS: tuple[Url, ...] = (
    # What the vendor has and this sandbox has not; first, as `describe/layouts`
    # would pass for an external id
    *(
        Url(method, f"{DATA}/{path}", "missing", feature=feature)
        for path, feature in MISSING
        for method in _METHODS
    ),
    *(
        Url(method, path, "missing", feature=feature, session=False, metered=False)
        for path, feature in MISSING_APIS
        for method in _METHODS
    ),
    # Logins
    _free("POST", "/services/oauth2/token", "token", tokens.token),
    _free("POST", "/services/oauth2/revoke", "revoke", tokens.revoke),
    _free("GET", "/services/oauth2/revoke", "revoke", tokens.revoke),
    Url("GET", "/services/oauth2/userinfo", "userinfo", tokens.userinfo, metered=False),
    Url("GET", "/id/{org}/{user}", "userinfo", tokens.userinfo, metered=False),
    # Discovery
    _free("GET", "/services/data", "versions", discovery.versions),
    Url("GET", DATA, "resources", discovery.resources),
    Url("GET", f"{DATA}/sobjects", "describe", discovery.global_describe),
    Url("GET", ROW, "describe", discovery.basic_information),
    Url("GET", f"{ROW}/describe", "describe", discovery.describe),
    Url("GET", f"{DATA}/limits", "limits", discovery.limits),
    Url("GET", f"{DATA}/limits/recordCount", "limits", discovery.record_count),
    # Rows
    Url("POST", ROW, "rows", rows.create),
    Url("GET", f"{ROW}/updated", "updated", rows.updated),
    Url("GET", f"{ROW}/deleted", "deleted", rows.deleted),
    Url("GET", f"{ROW}/{{id}}", "rows", rows.read),
    Url("PATCH", f"{ROW}/{{id}}", "rows", rows.update),
    Url("DELETE", f"{ROW}/{{id}}", "rows", rows.delete),
    Url("GET", f"{ROW}/{{field}}/{{value}}", "rows", rows.read_by_key),
    Url("PATCH", f"{ROW}/{{field}}/{{value}}", "rows", rows.upsert_by_key),
    Url("DELETE", f"{ROW}/{{field}}/{{value}}", "rows", rows.delete_by_key),
    # Collections
    Url("POST", f"{DATA}/composite/sobjects", "collections", collections.create),
    Url("PATCH", f"{DATA}/composite/sobjects", "collections", collections.update),
    Url("DELETE", f"{DATA}/composite/sobjects", "collections", collections.delete),
    Url(
        "PATCH",
        f"{DATA}/composite/sobjects/{{type}}/{{field}}",
        "collections",
        collections.upsert,
    ),
    Url(
        "POST",
        f"{DATA}/composite/sobjects/{{type}}",
        "collections",
        collections.retrieve,
    ),
    Url(
        "GET",
        f"{DATA}/composite/sobjects/{{type}}",
        "collections",
        collections.retrieve,
    ),
    # Queries
    Url("GET", f"{DATA}/query", "query", query.query),
    Url("GET", f"{DATA}/queryAll", "query", query.query_all),
    Url("GET", f"{DATA}/query/{{locator}}", "query", query.more),
    Url("GET", f"{DATA}/queryAll/{{locator}}", "query", query.more),
    # Bulk API 2.0
    Url("POST", INGEST, "bulk.ingest", bulk.create_ingest),
    Url("GET", INGEST, "bulk.ingest", bulk.list_ingest),
    Url("GET", f"{INGEST}/{{id}}", "bulk.ingest", bulk.poll_ingest),
    Url("PATCH", f"{INGEST}/{{id}}", "bulk.ingest", bulk.change_ingest),
    Url("DELETE", f"{INGEST}/{{id}}", "bulk.ingest", bulk.delete_ingest),
    Url("PUT", f"{INGEST}/{{id}}/batches", "bulk.ingest", bulk.upload, media="any"),
    Url(
        "GET",
        f"{INGEST}/{{id}}/successfulResults",
        "bulk.ingest",
        bulk.successful_results,
    ),
    Url("GET", f"{INGEST}/{{id}}/failedResults", "bulk.ingest", bulk.failed_results),
    Url(
        "GET",
        f"{INGEST}/{{id}}/unprocessedrecords",
        "bulk.ingest",
        bulk.unprocessed_records,
    ),
    Url("POST", EXPORT, "bulk.query", bulk.create_query),
    Url("GET", EXPORT, "bulk.query", bulk.list_query),
    Url("GET", f"{EXPORT}/{{id}}", "bulk.query", bulk.poll_query),
    Url("PATCH", f"{EXPORT}/{{id}}", "bulk.query", bulk.change_query),
    Url("DELETE", f"{EXPORT}/{{id}}", "bulk.query", bulk.delete_query),
    Url("GET", f"{EXPORT}/{{id}}/results", "bulk.query", bulk.query_results),
    # Metadata
    Url(
        "POST",
        f"{DATA}/metadata/deployRequest",
        "metadata",
        metadata.start,
        media="any",
    ),
    Url("GET", f"{DATA}/metadata/deployRequest/{{id}}", "metadata", metadata.status),
    Url("PATCH", f"{DATA}/metadata/deployRequest/{{id}}", "metadata", metadata.cancel),
    _free("POST", f"{SOAP}/m/{{version}}", "soap", soap.metadata_api),
    _free("POST", f"{SOAP}/m/{{version}}/deployRequest", "soap", soap.metadata_api),
    _free(
        "POST", f"{SOAP}/m/{{version}}/deployRequest/{{id}}", "soap", soap.metadata_api
    ),
    _free("POST", f"{SOAP}/m/{{version}}/{{org}}", "soap", soap.metadata_api),
    _free("POST", f"{SOAP}/u/{{version}}", "soap", soap.partner),
    _free("POST", f"{SOAP}/u/{{version}}/{{org}}", "soap", soap.partner),
    _free("POST", f"{SOAP}/c/{{version}}", "soap", soap.enterprise),
    _free("POST", f"{SOAP}/c/{{version}}/{{org}}", "soap", soap.enterprise),
    # Several calls in one
    Url("POST", f"{DATA}/composite", "composite", composite.composite),
    Url("POST", f"{DATA}/composite/batch", "batch", composite.batch),
    # The Tooling API, in part
    Url("GET", f"{DATA}/tooling/query", "tooling", tooling.run_query),
    Url(
        "GET",
        f"{DATA}/tooling/sobjects/SourceMember/describe",
        "tooling",
        tooling.source_member,
    ),
    # The sandbox itself
    _free("GET", "/_sandbox", "sandbox", control.page),
    _free("POST", "/_sandbox/faults", "sandbox", control.add_fault),
    _free("DELETE", "/_sandbox/faults", "sandbox", control.clear_faults),
    _free("POST", "/_sandbox/reset", "sandbox", control.reset),
    _free("POST", "/_sandbox/clock", "sandbox", control.clock),
    _free("POST", "/_sandbox/switches", "sandbox", control.switches),
    _free("GET", "/_sandbox/calls", "sandbox", control.calls),
    _free("DELETE", "/_sandbox/calls", "sandbox", control.calls),
    _free("POST", "/_sandbox/records/{type}", "sandbox", control.insert_records),
    _free("GET", "/_sandbox/records/{type}", "sandbox", control.list_records),
)


@dataclass(frozen=True, slots=True)
class Match:
    """What an address leads to; `allowed` lists methods when this one is not."""

    url: Url | None
    params: dict[str, str]
    allowed: tuple[str, ...] = ()


Patterns = list[tuple[tuple[str, ...], Url]]


@cache
def _by_length() -> dict[tuple[int, str], Patterns]:
    table: dict[tuple[int, str], Patterns] = {}
    for url in URLS:
        parts = tuple(url.pattern.strip("/").split("/"))
        table.setdefault((len(parts), url.method), []).append((parts, url))
    return table


def split(raw_path: str) -> list[str]:
    """Take a raw path apart; doubled and trailing slashes do not count."""
    return [part for part in raw_path.split("/") if part]


def match(method: str, parts: list[str]) -> Match:
    """Find the address of a call; segments are decoded only after they are split."""
    found = _find(method, parts)
    if found is not None:
        return found
    others = [m for m in _METHODS if m != method and _find(m, parts) is not None]
    return _match_rest(method, parts) or Match(None, {}, tuple(others))


def _find(method: str, parts: list[str]) -> Match | None:
    for pattern, url in _by_length().get((len(parts), method), []):
        params = _params(pattern, parts)
        if params is not None:
            return Match(url, params)
    return None


def _match_rest(method: str, parts: list[str]) -> Match | None:
    """Patterns that end in a star take any rest, also none."""
    for length in range(len(parts) + 1, 0, -1):
        for pattern, url in _by_length().get((length, method), []):
            if pattern[-1] == "*":
                params = _params(pattern[:-1], parts[: length - 1])
                if params is not None:
                    return Match(url, params)
    return None


def _params(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for wanted, given in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            params[wanted[1:-1]] = unquote(given)
        elif wanted.lower() != given.lower():
            return None
    return params
