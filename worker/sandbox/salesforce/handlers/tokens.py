"""The OAuth token endpoint and who-am-I."""

import base64
import binascii

from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.identity import LoginRefused

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token(call: Call) -> Answer:
    """Answer the four grants; what is refused is refused with the vendor's pair."""
    try:
        user_id = _user_of_grant(call)
    except LoginRefused as refused:
        body = {"error": refused.error, "error_description": refused.description}
        return Answer(400, body)
    return Answer(200, _granted(call, user_id))


def _user_of_grant(call: Call) -> str:
    form, identity = call.form, call.services.identity
    grant = form.get("grant_type", "")
    match grant:
        case "password":
            _check_client(call)
            return identity.by_password(
                form.get("username", ""), form.get("password", "")
            )
        case "client_credentials":
            _check_client(call)
            return identity.by_client()
        case "refresh_token":
            _check_client(call)
            return identity.by_refresh(form.get("refresh_token", ""))
        case _ if grant == _JWT:
            return identity.by_assertion(form.get("assertion", ""), call.base_url)
        case "":
            raise LoginRefused("invalid_request", "grant_type is required")
        case _:
            raise LoginRefused("unsupported_grant_type", "grant type not supported")


def _check_client(call: Call) -> None:
    client_id = call.form.get("client_id", "")
    secret = call.form.get("client_secret")
    basic = call.header("authorization")
    if basic.lower().startswith("basic "):
        client_id, secret = _basic(basic[6:])
    if secret is None and call.form.get("grant_type") != "refresh_token":
        raise LoginRefused("invalid_client", "invalid client credentials")
    call.services.identity.check_client(client_id, secret)


def _basic(encoded: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise LoginRefused("invalid_client", "invalid client credentials") from None
    client_id, _, secret = decoded.partition(":")
    return client_id, secret


def _granted(call: Call, user_id: str) -> dict[str, object]:
    identity, org = call.services.identity, call.services.org
    identity_url = f"{call.base_url}/id/{identity.org_id}/{user_id}"
    issued = str(int(org.clock.now().timestamp() * 1000))
    granted: dict[str, object] = {
        "access_token": identity.open(user_id),
        "instance_url": call.base_url,
        "id": identity_url,
        "token_type": "Bearer",
        "issued_at": issued,
        "signature": identity.signature(identity_url + issued),
    }
    if call.form.get("grant_type") != "password":
        granted["scope"] = "api refresh_token"
    return granted


def revoke(call: Call) -> Answer:
    call.services.identity.revoke(call.form.get("token") or call.query.get("token", ""))
    return Answer(200, "", "text/plain")


def userinfo(call: Call) -> Answer:
    """Who the session belongs to; the same body answers the identity URL."""
    identity, org = call.services.identity, call.services.org
    user = org.get("User", call.user_id) or {}
    data = f"{call.base_url}/services/data/v{{version}}/"
    return Answer(
        200,
        {
            "sub": f"{call.base_url}/id/{identity.org_id}/{call.user_id}",
            "id": f"{call.base_url}/id/{identity.org_id}/{call.user_id}",
            "user_id": call.user_id,
            "organization_id": identity.org_id,
            "preferred_username": user["Username"],
            "username": user["Username"],
            "nickname": user["Alias"],
            "name": user["Name"],
            "display_name": user["Name"],
            "email": user["Email"],
            "email_verified": True,
            "given_name": user["FirstName"],
            "family_name": user["LastName"],
            "active": user["IsActive"],
            "user_type": "STANDARD",
            "language": "en_US",
            "locale": "en_US",
            "zoneinfo": "GMT",
            "urls": {
                "enterprise": f"{call.base_url}/services/Soap/c/{{version}}",
                "metadata": f"{call.base_url}/services/Soap/m/{{version}}",
                "partner": f"{call.base_url}/services/Soap/u/{{version}}",
                "rest": data,
                "sobjects": f"{data}sobjects/",
                "query": f"{data}query/",
                "recent": f"{data}recent/",
                "profile": f"{call.base_url}/{call.user_id}",
            },
        },
    )
