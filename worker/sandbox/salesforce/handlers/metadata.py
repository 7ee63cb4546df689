"""Deploys over REST: multipart in, DeployResult out."""

import re

import msgspec

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.metadata.deploys import Deploy, Options, Status
from worker.sandbox.salesforce.metadata.package import Component

_NAME = re.compile(rb'name="([^"]*)"')
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


def start(call: Call) -> Answer:
    parts = _multipart(call)
    archive = next((p for n, p in parts.items() if n == "file"), None)
    if archive is None:
        raise RequestRefused("INVALID_MULTIPART_REQUEST", "The file part is missing")
    told = _options(parts.get("json") or parts.get("entity_content") or b"{}")
    check_may_deploy(call)
    deploys = call.services.deploys
    deploy = deploys.add(archive, read_options(told), call.user_id)
    call.services.start(deploys.work(deploy))
    body = {
        "id": deploy.id,
        "validatedDeployRequestId": None,
        "deployOptions": told,
        "deployResult": result(call, deploy, details=False),
    }
    return Answer(201, body)


def check_may_deploy(call: Call) -> None:
    """Deploying asks for a right that agents do not have."""
    org = call.services.org
    user = org.get("User", call.user_id) or {}
    profile = org.get("Profile", str(user.get("ProfileId"))) or {}
    if not profile.get("PermissionsModifyMetadata"):
        raise RequestRefused(
            "INSUFFICIENT_ACCESS",
            "use of the Metadata API requires a user with the ModifyAllData or "
            "ModifyMetadata permissions",
            status=403,
        )


def _multipart(call: Call) -> dict[str, bytes]:
    found = _BOUNDARY.search(call.header("content-type"))
    if found is None or "multipart/form-data" not in call.header("content-type"):
        raise RequestRefused(
            "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data is expected", status=415
        )
    parts: dict[str, bytes] = {}
    for piece in call.body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None:
            parts[name[1].decode()] = content.removesuffix(b"\r\n")
    return parts


def _options(text: bytes) -> dict[str, object]:
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise RequestRefused(
            "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]"
        ) from None
    options = decoded.get("deployOptions") if isinstance(decoded, dict) else None
    return options if isinstance(options, dict) else {}


def read_options(told: dict[str, object]) -> Options:
    """Read the options; SOAP clients send texts, even Python's True and None."""

    def flag(name: str, *, default: bool) -> bool:
        text = str(told.get(name, default)).lower()
        return text == "true" if text in ("true", "false") else default

    return Options(
        check_only=flag("checkOnly", default=False),
        rollback_on_error=flag("rollbackOnError", default=True),
        ignore_warnings=flag("ignoreWarnings", default=False),
    )


def status(call: Call) -> Answer:
    deploy = call.services.deploys.get(call.params["id"])
    details = call.query.get("includeDetails", "").lower() == "true"
    body = {"id": deploy.id, "deployResult": result(call, deploy, details=details)}
    return Answer(200, body)


def cancel(call: Call) -> Answer:
    deploy = call.services.deploys.get(call.params["id"])
    call.services.deploys.cancel(deploy)
    body = {"id": deploy.id, "deployResult": result(call, deploy, details=False)}
    return Answer(202, body)


def result(call: Call, deploy: Deploy, *, details: bool) -> dict[str, object]:
    """The DeployResult, in the order of its schema."""
    user = call.services.org.get("User", deploy.user_id) or {}
    failed, done = len(deploy.failures), deploy.is_done
    found: dict[str, object] = {
        "checkOnly": deploy.options.check_only,
        "completedDate": deploy.changed_at if done else None,
        "createdBy": deploy.user_id,
        "createdByName": user.get("Name"),
        "createdDate": deploy.created_at,
        "details": _details(deploy) if details else None,
        "done": done,
        "errorMessage": deploy.error_message,
        "errorStatusCode": "UNKNOWN_EXCEPTION" if deploy.error_message else None,
        "id": deploy.id,
        "ignoreWarnings": deploy.options.ignore_warnings,
        "lastModifiedDate": deploy.changed_at,
        "numberComponentErrors": failed,
        "numberComponentsDeployed": len(deploy.successes) if done else 0,
        "numberComponentsTotal": len(deploy.components),
        "numberTestErrors": 0,
        "numberTestsCompleted": 0,
        "numberTestsTotal": 0,
        "rollbackOnError": deploy.options.rollback_on_error,
        "runTestsEnabled": False,
        "startDate": deploy.created_at,
        "status": deploy.status.value,
        "success": deploy.status in (Status.SUCCEEDED, Status.PARTIAL),
    }
    return {name: value for name, value in found.items() if value is not None}


def _details(deploy: Deploy) -> dict[str, object]:
    stamp = deploy.changed_at
    return {
        "componentFailures": [_message(c, stamp) for c in deploy.failures],
        "componentSuccesses": [_message(c, stamp) for c in deploy.successes],
        "runTestResult": {"numFailures": 0, "numTestsRun": 0, "totalTime": 0.0},
    }


def _message(component: Component, stamp: str) -> dict[str, object]:
    problem = component.problem
    found: dict[str, object] = {
        "changed": component.changed,
        "columnNumber": 1 if problem and problem.line else None,
        "componentType": component.kind,
        "created": component.created,
        "createdDate": stamp,
        "deleted": component.deleting and problem is None,
        "fileName": component.file,
        "fullName": component.name,
        "id": component.id or None,
        "lineNumber": problem.line if problem else None,
        "problem": problem.text if problem else None,
        "problemType": "Error" if problem else None,
        "success": problem is None,
    }
    return {name: value for name, value in found.items() if value is not None}
