"""
Puts our package into an org through the Metadata API and waits for the end.
Knows the life cycle of a deploy; what is deployed is the package's business.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import msgspec

from worker import clock
from worker.errors import ContractBroken, RemoteUnavailable, RetryLater
from worker.salesforce.connection import OpenOrg
from worker.salesforce.package.archive import build_zip
from worker.salesforce.payloads import SERVICE, decode
from worker.salesforce.permission_sets import (
    SYNC_PERMISSION_SET,
    assign_permission_set,
)

if TYPE_CHECKING:
    import requests

    from worker.salesforce.connection import Connection

__all__ = [
    "SYNC_PERMISSION_SET",
    "ComponentFailure",
    "DeployReport",
    "Patience",
    "assign_permission_set",
    "build_zip",
    "deploy",
]

SUCCEEDED = "Succeeded"
METADATA_CURE = (
    'give the API user the right "Modify Metadata Through Metadata API Functions" '
    '(or "Modify All Data"), or deploy as an administrator'
)


class ComponentFailure(NamedTuple):
    """One component that the org refused, where in its file, and why."""

    component: str
    kind: str
    line: int | None
    problem: str


class DeployReport(NamedTuple):
    """
    How a deploy ended; a refused package is a value, not an error.

    The counts are components: a repeated deploy counts all of them as unchanged, a
    refused one counts none, a check-only one counts what it would have done.
    """

    id: str
    state: str
    created: int
    changed: int
    unchanged: int
    failures: tuple[ComponentFailure, ...]

    @property
    def succeeded(self) -> bool:
        return self.state == SUCCEEDED


class Patience(NamedTuple):
    """How a running deploy is watched: soon at first, then ever less often."""

    first_s: float = 0.5
    factor: float = 1.6
    longest_s: float = 10.0
    deadline_s: float = 900.0


_PATIENT = Patience()


class _Message(msgspec.Struct, rename="camel"):
    full_name: str
    success: bool
    changed: bool = False
    created: bool = False
    component_type: str | None = None
    line_number: int | None = None
    problem: str | None = None


def _none() -> list[_Message]:
    return []


class _Details(msgspec.Struct, rename="camel"):
    component_successes: list[_Message] = msgspec.field(default_factory=_none)
    component_failures: list[_Message] = msgspec.field(default_factory=_none)


class _Result(msgspec.Struct, rename="camel"):
    status: str
    done: bool = False
    details: _Details | None = None
    error_message: str | None = None
    error_status_code: str | None = None


class _Deploy(msgspec.Struct, rename="camel"):
    id: str
    deploy_result: _Result | None = None


def deploy(
    connection: Connection,
    *,
    check_only: bool,
    session: requests.Session,
    archive: bytes | None = None,
    patience: Patience = _PATIENT,
) -> DeployReport:
    """
    Deploy the package as a whole or not at all, and wait for the end.

    Safe to repeat, also after a lost answer. Raises PermissionMissing, TokenRefused
    and ContractBroken at once; RemoteUnavailable (with the deploy's id) when it has
    not ended by the deadline.
    """
    org = OpenOrg(connection, session)
    deploy_id = _start(org, archive or build_zip(), check_only=check_only)
    return _report(deploy_id, _watch(org, deploy_id, patience))


def _start(org: OpenOrg, archive: bytes, *, check_only: bool) -> str:
    # https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_rest_deploy.htm
    # REST, not simple-salesforce's mdapi: that one leaves its SOAP headers on the
    # shared object, keeps neither lines nor successes, and needs the whole WSDL parsed.
    # No testLevel: the default runs tests only where code is deployed, and NoTestRun
    # is refused by production orgs.
    options = {
        "checkOnly": check_only,
        "rollbackOnError": True,
        "singlePackage": True,
        "allowMissingFiles": False,
        "autoUpdatePackage": False,
        "ignoreWarnings": False,
        "performRetrieve": False,
        "purgeOnDelete": False,
    }
    parts = {
        "json": (
            None,
            msgspec.json.encode({"deployOptions": options}),
            "application/json",
        ),
        "file": ("package.zip", archive, "application/zip"),
    }
    answer = org.send(
        "deploy", "POST", "/metadata/deployRequest", cure=METADATA_CURE, files=parts
    )
    return decode(_Deploy, answer, "deploy").id


def _watch(org: OpenOrg, deploy_id: str, patience: Patience) -> _Result:
    path = f"/metadata/deployRequest/{quote(deploy_id, safe='')}?includeDetails=true"
    give_up_at = clock.monotonic() + patience.deadline_s
    pause = patience.first_s
    while True:
        result = _looked(org, path)
        if result and result.done:
            return result
        if clock.monotonic() + pause > give_up_at:
            state = result.status if result else "unknown"
            raise RemoteUnavailable(
                SERVICE, "deploy", detail=f"{deploy_id} still {state}; repeat later"
            )
        time.sleep(pause)
        pause = min(pause * patience.factor, patience.longest_s)


def _looked(org: OpenOrg, path: str) -> _Result | None:
    """Return where the deploy stands; None where the org could not say just now."""
    try:
        answer = org.send("watch deploy", "GET", path, cure=METADATA_CURE)
    except RetryLater:
        # The deploy runs on without us; only the deadline ends the watch.
        return None
    found = decode(_Deploy, answer, "watch deploy").deploy_result
    if found is None:
        raise ContractBroken(
            SERVICE, "watch deploy", detail="$.deployResult is missing"
        )
    return found


def _report(deploy_id: str, result: _Result) -> DeployReport:
    details = result.details or _Details()
    # The vendor lists the manifest among the components, and with a refused package
    # also the good components that it has rolled back.
    listed = details.component_successes if result.status == SUCCEEDED else []
    done = [one for one in listed if one.full_name != "package.xml"]
    created = sum(one.created for one in done)
    changed = sum(one.changed and not one.created for one in done)
    return DeployReport(
        id=deploy_id,
        state=result.status,
        created=created,
        changed=changed,
        unchanged=len(done) - created - changed,
        failures=_failures(result, details),
    )


def _failures(result: _Result, details: _Details) -> tuple[ComponentFailure, ...]:
    failures = tuple(
        ComponentFailure(
            one.full_name,
            one.component_type or "",
            one.line_number,
            one.problem or "refused without a reason",
        )
        for one in details.component_failures
    )
    if failures or result.status == SUCCEEDED:
        return failures
    # A deploy that dies as a whole (canceled, a broken archive) blames no component.
    problem = result.error_message or result.error_status_code or result.status
    return (ComponentFailure("package.xml", "", None, problem),)
