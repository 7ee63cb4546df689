"""Where and as whom to call the org, for side doors such as the deploy."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

import requests

from worker.errors import PermissionMissing
from worker.salesforce.responses import refusal, unreachable


class Connection(NamedTuple):
    """
    A logged-in org; `api_version` is bare, as in `62.0`.

    It is a snapshot of the token: a session that ends later is the caller's to renew.
    """

    instance_url: str
    session_id: str
    api_version: str

    # A printed connection must not carry the session into a log.
    def __repr__(self) -> str:
        return f"Connection({self.instance_url!r}, api_version={self.api_version!r})"


class OpenOrg:
    """
    The few calls around a deploy: no token renewal, no counting, the caller's session.

    The stream's calls go through SalesforceClient.
    """

    def __init__(self, connection: Connection, session: requests.Session) -> None:
        self._base = (
            f"{connection.instance_url}/services/data/v{connection.api_version}"
        )
        self._headers = {
            "Authorization": f"Bearer {connection.session_id}",
            "Accept": "application/json",
            "Sforce-Call-Options": "client=aurora-sync",
        }
        self._session = session

    def send(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        cure: str,
        **parts: Any,  # noqa: ANN401 -- handed on to requests as they are
    ) -> bytes:
        """
        Send one call; `cure` is what to do where the API user lacks the right.

        Raises the family that the answer means.
        """
        try:
            response = self._session.request(
                method,
                self._base + path,
                headers=self._headers,
                allow_redirects=False,
                **parts,
            )
        except requests.RequestException as error:
            raise unreachable(operation, error) from error
        if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            return response.content
        refused = refusal(
            response.status_code, response.content, operation, headers=response.headers
        )
        if isinstance(refused, PermissionMissing) and _is_about_rights(refused.code):
            refused.detail = cure
        raise refused


def _is_about_rights(code: str) -> bool:
    # The other codes of this family say that the API is off for the org or the user.
    return not code or code.startswith(("INSUFFICIENT_ACCESS", "FORBIDDEN"))
