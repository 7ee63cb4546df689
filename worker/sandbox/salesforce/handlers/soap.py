"""The SOAP doors: login on the partner API, deploys on the Metadata API."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace

from worker.sandbox.salesforce import soap
from worker.sandbox.salesforce.errors import (
    NotEmulated,
    Refused,
    RequestRefused,
    session_refused,
)
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.handlers import metadata
from worker.sandbox.salesforce.handlers.discovery import NEWEST, OLDEST
from worker.sandbox.salesforce.identity import LoginRefused
from worker.sandbox.salesforce.metadata.package import FOLDERS, local
from worker.sandbox.salesforce.soap import METADATA, PARTNER, Request

# login() does not exist from this version on.
_NO_LOGIN_FROM = 65
_SESSION_S = 7200


def partner(call: Call) -> Answer:
    """`login` and `getUserInfo`; anything else is a fault that names it."""
    return _guarded(call, _PARTNER, "The partner SOAP API's")


def metadata_api(call: Call) -> Answer:
    return _guarded(call, _METADATA, "The Metadata SOAP API's")


def enterprise(call: Call) -> Answer:
    return _guarded(call, {}, "The enterprise SOAP API's")


Operation = Callable[[Call, Request], Answer]


def _guarded(call: Call, operations: dict[str, Operation], owner: str) -> Answer:
    try:
        number = _version(call)
        request = soap.read(call.body)
        operation = operations.get(request.operation)
        if operation is None:
            return _missing(f"{owner} {request.operation}()")
        if request.operation == "login" and number >= _NO_LOGIN_FROM:
            return soap.fault(
                "UNSUPPORTED_API_VERSION",
                f"SOAP API login() is not available in API version {number}.0",
            )
        return operation(call, request)
    except Refused as refused:
        return soap.fault(refused.code, refused.message)


def _missing(feature: str) -> Answer:
    missing = NotEmulated(feature)
    return replace(soap.fault(missing.code, missing.message), status=501)


def _version(call: Call) -> int:
    text = call.params["version"].removesuffix(".0")
    if not text.isdigit() or not OLDEST <= int(text) <= NEWEST:
        raise RequestRefused(
            "UNSUPPORTED_API_VERSION", f"Invalid Api version: {call.params['version']}"
        )
    return int(text)


# Partner


def _login(call: Call, request: Request) -> Answer:
    identity = call.services.identity
    identity.attempts["soap"] += 1
    username, password = request.text("username"), request.text("password")
    try:
        call.user_id = identity.by_password(username, password)
    except LoginRefused:
        return soap.fault(
            "INVALID_LOGIN",
            "Invalid username, password, security token; or user locked out.",
            kind="LoginFault",
        )
    version = call.params["version"]
    org_id = identity.org_id
    base = f"{call.base_url}/services/Soap"
    result = {
        "metadataServerUrl": f"{base}/m/{version}/{org_id}",
        "passwordExpired": False,
        "sandbox": True,
        "serverUrl": f"{base}/u/{version}/{org_id}",
        "sessionId": identity.open(call.user_id),
        "userId": call.user_id,
        "userInfo": _user_info(call),
    }
    return soap.answer("login", PARTNER, result)


def _user_info(call: Call) -> dict[str, object]:
    user = call.services.org.get("User", call.user_id) or {}
    return {
        "organizationId": call.services.identity.org_id,
        "organizationName": "Sandbox Org",
        "profileId": user["ProfileId"],
        "sessionSecondsValid": _SESSION_S,
        "userEmail": user["Email"],
        "userFullName": user["Name"],
        "userId": call.user_id,
        "userLanguage": "en_US",
        "userLocale": "en_US",
        "userName": user["Username"],
        "userTimeZone": "GMT",
        "userType": "Standard",
    }


def _get_user_info(call: Call, request: Request) -> Answer:
    _enter(call, request)
    return soap.answer("getUserInfo", PARTNER, _user_info(call))


def _logout(call: Call, request: Request) -> Answer:
    _enter(call, request)
    call.services.identity.revoke(request.session_id)
    return soap.raw_answer("logout", PARTNER, "")


def _enter(call: Call, request: Request) -> None:
    """Check the session in the header and count the call."""
    org = call.services.org
    forever = ("unauthorized_forever",)
    struck = org.faults.strike(forever, call.method, call.path)
    try:
        if struck:
            raise session_refused()
        call.user_id = call.services.identity.user_of(request.session_id)
    except Refused:
        raise RequestRefused(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session",
        ) from None
    if org.usage.remaining == 0:
        raise RequestRefused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    org.usage.count("soap", call.method)


# Metadata


def _deploy(call: Call, request: Request) -> Answer:
    _enter(call, request)
    metadata.check_may_deploy(call)
    try:
        archive = base64.b64decode(request.text("ZipFile"))
    except binascii.Error:
        raise RequestRefused("INVALID_ZIP", "ZipFile is not base64") from None
    options = soap.find(request.element, "DeployOptions")
    told: dict[str, object] = {}
    if options is not None:
        told = {local(e): (e.text or "") for e in options.iter("{*}*")}
    deploys = call.services.deploys
    deploy = deploys.add(archive, metadata.read_options(told), call.user_id)
    call.services.start(deploys.work(deploy))
    queued = {"done": False, "id": deploy.id, "state": "Queued"}
    return soap.answer("deploy", METADATA, queued)


def _check_deploy_status(call: Call, request: Request) -> Answer:
    _enter(call, request)
    asked = request.text("asyncProcessId") or call.params.get("id", "")
    deploy = call.services.deploys.get(asked.strip())
    details = request.text("includeDetails").strip().lower() == "true"
    result = metadata.result(call, deploy, details=details)
    return soap.answer("checkDeployStatus", METADATA, result)


def _cancel_deploy(call: Call, request: Request) -> Answer:
    _enter(call, request)
    deploy = call.services.deploys.get(
        (request.text("String") or request.text("id")).strip()
    )
    call.services.deploys.cancel(deploy)
    result = {"done": True, "id": deploy.id}
    return soap.answer("cancelDeploy", METADATA, result)


def _describe_metadata(call: Call, request: Request) -> Answer:
    _enter(call, request)
    children = ["CustomField", "ListView", "CompactLayout"]
    objects = [
        {
            "childXmlNames": children if kind == "CustomObject" else None,
            "directoryName": folder,
            "inFolder": False,
            "metaFile": False,
            "suffix": suffix[1:],
            "xmlName": kind,
        }
        for folder, (suffix, kind) in FOLDERS.items()
    ]
    result = {
        "metadataObjects": objects,
        "organizationNamespace": "",
        "partialSaveAllowed": True,
        "testRequired": False,
    }
    return soap.answer("describeMetadata", METADATA, result)


def _list_metadata(call: Call, request: Request) -> Answer:
    _enter(call, request)
    wanted = request.texts("type")
    listed = []
    for (kind, name), (component, _) in call.services.deploys.installed.items():
        if kind in wanted:
            listed.append(_file_properties(call, kind, name, component.id))
    if "CustomObject" in wanted:
        known = {str(entry["fullName"]) for entry in listed}
        listed += [
            _file_properties(call, "CustomObject", of.name, "")
            for of in call.services.org.types.values()
            if of.name not in known
        ]
    inner = soap.write("result", listed)
    return soap.raw_answer("listMetadata", METADATA, inner)


def _read_metadata(call: Call, request: Request) -> Answer:
    """Answer what was deployed, as it was deployed; a name unknown gives no record."""
    _enter(call, request)
    kind = request.text("type").strip()
    if kind not in ("CustomObject", "PermissionSet"):
        return _missing(f"readMetadata() of {kind}")
    records = [
        f'<records xsi:type="{kind}">{body}</records>'
        for name in request.texts("fullNames")
        if (body := call.services.deploys.source_of(kind, name))
    ]
    inner = f"<result>{''.join(records)}</result>"
    return soap.raw_answer("readMetadata", METADATA, inner)


def _file_properties(call: Call, kind: str, name: str, found: str) -> dict[str, object]:
    user = call.services.org.get("User", call.services.org.admin_id) or {}
    folder, suffix = next(
        ((f, s) for f, (s, k) in FOLDERS.items() if k == kind), ("objects", ".object")
    )
    stamp = call.services.org.schema_stamp
    return {
        "createdById": user["Id"],
        "createdByName": user["Name"],
        "createdDate": stamp,
        "fileName": f"{folder}/{name.partition('.')[0]}{suffix}",
        "fullName": name,
        "id": found,
        "lastModifiedById": user["Id"],
        "lastModifiedByName": user["Name"],
        "lastModifiedDate": stamp,
        "manageableState": "unmanaged",
        "type": kind,
    }


_PARTNER: dict[str, Operation] = {
    "login": _login,
    "getUserInfo": _get_user_info,
    "logout": _logout,
}
_METADATA: dict[str, Operation] = {
    "deploy": _deploy,
    "checkDeployStatus": _check_deploy_status,
    "cancelDeploy": _cancel_deploy,
    "describeMetadata": _describe_metadata,
    "listMetadata": _list_metadata,
    "readMetadata": _read_metadata,
}
