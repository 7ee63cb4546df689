"""What the deploy makes of each kind of answer, also of those that come rarely."""

from __future__ import annotations

from email import message_from_bytes

import pytest

from worker.errors import (
    ContractBroken,
    PermissionMissing,
    QuotaExhausted,
    RemoteUnavailable,
    TokenRefused,
)
from worker.salesforce.connection import Connection
from worker.salesforce.deploy import (
    METADATA_CURE,
    ComponentFailure,
    DeployReport,
    Patience,
    assign_permission_set,
    build_zip,
    deploy,
)

QUICK = Patience(first_s=0.001, factor=2, longest_s=0.01, deadline_s=5)
ID = "0Af000000000001AAA"
STARTED = (201, {"id": ID, "deployResult": {"status": "Pending", "done": False}})
RUNNING = (200, {"id": ID, "deployResult": {"status": "InProgress", "done": False}})


def ended(status, **more):
    return 200, {"id": ID, "deployResult": {"status": status, "done": True} | more}


def component(name, **more):
    return {"fullName": name, "componentType": "CustomField", "success": True} | more


def refused(code, message="no"):
    return [{"errorCode": code, "message": message}]


def test_sends_the_archive_and_the_options_and_reads_the_result(scripted, session):
    successes = [
        component("package.xml", componentType="", changed=True),
        component("A.x__c", created=True, changed=True),
        component("A.y__c", created=False, changed=True),
        component("A.z__c", created=False, changed=False),
    ]
    done = ended("Succeeded", details={"componentSuccesses": successes})
    scripted.script += [STARTED, RUNNING, RUNNING, done]

    report = deploy(
        scripted.connection, check_only=False, session=session, patience=QUICK
    )

    assert report == DeployReport(ID, "Succeeded", 1, 1, 1, ())
    paths = [(method, path) for method, path, _, _ in scripted.asked]
    base = "/services/data/v62.0/metadata/deployRequest"
    watch = ("GET", f"{base}/{ID}?includeDetails=true")
    assert paths == [("POST", base), watch, watch, watch]
    assert {token for _, _, token, _ in scripted.asked} == {"Bearer 00Dxx!session"}
    body = scripted.asked[0][3]
    assert b'"rollbackOnError":true' in body
    assert b'"checkOnly":false' in body
    assert build_zip() in body


def test_sends_the_options_as_json_and_the_archive_as_zip(scripted, session):
    scripted.script += [STARTED, ended("Succeeded")]

    deploy(
        scripted.connection,
        check_only=True,
        session=session,
        archive=b"PK",
        patience=QUICK,
    )

    body = scripted.asked[0][3]
    boundary = body.partition(b"\r\n")[0].removeprefix(b"--")
    head = b'Content-Type: multipart/form-data; boundary="' + boundary + b'"\r\n\r\n'
    parts = {
        part.get_param("name", header="Content-Disposition"): part.get_content_type()
        for part in message_from_bytes(head + body).get_payload()
    }
    assert parts == {"json": "application/json", "file": "application/zip"}


def test_names_each_component_that_the_org_refused(scripted, session):
    failures = [
        component("A.x__c", success=False, problem="Length is required", lineNumber=7),
        component("Reader", success=False, componentType=None),
    ]
    details = {
        "componentFailures": failures,
        "componentSuccesses": [component("A.y__c", created=True, changed=True)],
    }
    scripted.script += [STARTED, ended("Failed", details=details)]

    report = deploy(
        scripted.connection, check_only=False, session=session, patience=QUICK
    )

    assert report.failures == (
        ComponentFailure("A.x__c", "CustomField", 7, "Length is required"),
        ComponentFailure("Reader", "", None, "refused without a reason"),
    )
    assert not report.succeeded
    assert (report.created, report.changed, report.unchanged) == (0, 0, 0)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (ended("Failed", errorMessage="broken archive"), "broken archive"),
        (ended("Failed", errorStatusCode="UNKNOWN_EXCEPTION"), "UNKNOWN_EXCEPTION"),
        (ended("Canceled"), "Canceled"),
    ],
)
def test_says_why_a_deploy_failed_as_a_whole(scripted, session, result, problem):
    scripted.script += [STARTED, result]

    report = deploy(
        scripted.connection, check_only=False, session=session, patience=QUICK
    )

    assert report.failures == (ComponentFailure("package.xml", "", None, problem),)


def test_watches_on_when_the_org_cannot_say_just_now(scripted, session):
    scripted.script += [STARTED, (500, "<html>"), (429, ""), ended("Succeeded")]

    report = deploy(
        scripted.connection, check_only=False, session=session, patience=QUICK
    )

    assert report.succeeded


def test_gives_up_at_the_deadline_and_names_the_deploy(scripted, session):
    scripted.script += [STARTED, RUNNING]
    patience = Patience(first_s=0.001, factor=1, longest_s=0.001, deadline_s=0.02)

    with pytest.raises(RemoteUnavailable) as raised:
        deploy(
            scripted.connection, check_only=False, session=session, patience=patience
        )

    assert raised.value.detail == f"{ID} still InProgress; repeat later"


@pytest.mark.parametrize(
    ("status", "body", "family", "detail"),
    [
        (403, refused("INSUFFICIENT_ACCESS"), PermissionMissing, METADATA_CURE),
        (403, refused("FORBIDDEN"), PermissionMissing, METADATA_CURE),
        (403, "", PermissionMissing, METADATA_CURE),
        (401, refused("INVALID_SESSION_ID"), TokenRefused, "sign-in"),
        (403, refused("API_DISABLED_FOR_ORG"), PermissionMissing, "enable the API"),
        (
            403,
            refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            QuotaExhausted,
            "24 hours",
        ),
        (503, "<html>", RemoteUnavailable, ""),
        (302, "", ContractBroken, ""),
        (201, "<html>", ContractBroken, ""),
        (201, {"deployResult": None}, ContractBroken, "`id`"),
    ],
)
def test_raises_the_family_that_a_refused_deploy_means(
    scripted, session, status, body, family, detail
):
    scripted.script += [(status, body)]

    with pytest.raises(family) as raised:
        deploy(scripted.connection, check_only=False, session=session, patience=QUICK)

    assert detail in raised.value.detail
    assert "00Dxx" not in str(raised.value)


def test_names_an_unknown_shape_while_watching(scripted, session):
    scripted.script += [STARTED, (200, {"id": ID})]

    with pytest.raises(ContractBroken, match=r"\$\.deployResult is missing"):
        deploy(scripted.connection, check_only=False, session=session, patience=QUICK)


def test_says_that_nobody_answers_without_naming_the_address(session):
    nowhere = Connection("http://127.0.0.1:9", "00Dxx!session", "62.0")

    with pytest.raises(RemoteUnavailable) as raised:
        deploy(nowhere, check_only=False, session=session, patience=QUICK)

    assert raised.value.detail == "ConnectionError"


def test_takes_an_assignment_made_meanwhile_as_made(scripted, session):
    found = (200, {"records": [{"Id": "0PS000000000001AAA"}]})
    scripted.script += [
        found,
        (200, {"records": []}),
        (400, refused("DUPLICATE_VALUE")),
    ]

    assigned = assign_permission_set(
        scripted.connection, session, "Aurora_Sync", "005000000000001AAA"
    )

    assert assigned is False


def test_names_the_right_to_assign_where_it_is_missing(scripted, session):
    found = (200, {"records": [{"Id": "0PS000000000001AAA"}]})
    denied = (403, refused("INSUFFICIENT_ACCESS_OR_READONLY"))
    scripted.script += [found, (200, {"records": []}), denied]

    with pytest.raises(PermissionMissing, match="Assign Permission Sets"):
        assign_permission_set(
            scripted.connection, session, "Aurora_Sync", "005000000000001AAA"
        )


def test_does_not_print_the_session_of_a_connection():
    connection = Connection("https://org.example", "00Dxx!session", "62.0")

    printed = f"{connection} {connection!r}"

    assert "00Dxx" not in printed
