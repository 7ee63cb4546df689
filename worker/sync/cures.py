"""What a person does about an error of a remote: one sentence per situation."""

from __future__ import annotations

from worker.errors import (
    AlreadyRunning,
    BreakerTripped,
    ContractBroken,
    PermissionMissing,
    QuotaExhausted,
    RateLimited,
    RemoteUnavailable,
    TokenRefused,
    WorkerError,
)

_CURES: dict[tuple[type[WorkerError], str], str] = {
    (TokenRefused, "aurora"): (
        "check SYNC_AURORA__AUTH and its credentials, then run `aurora-sync connect`"
    ),
    (TokenRefused, "salesforce"): (
        "check SYNC_SALESFORCE__AUTH and its credentials, and that the connected app "
        "allows this grant for this user"
    ),
    (PermissionMissing, "aurora"): (
        "give the API user the Administrator role, or one that may view members' "
        "e-mail addresses, profiles and roles"
    ),
    (PermissionMissing, "salesforce"): (
        "run `aurora-sync salesforce deploy` as an administrator: it puts the package "
        "in and assigns the permission set; then `aurora-sync doctor`"
    ),
    (RemoteUnavailable, "aurora"): "check SYNC_AURORA__BASE_URL, or try again later",
    (RemoteUnavailable, "salesforce"): (
        "check SYNC_SALESFORCE__LOGIN_URL, or try again later"
    ),
}

_ANY_SERVICE: dict[type[WorkerError], str] = {
    RateLimited: "try again later",
    QuotaExhausted: (
        "wait for the org's 24 hours to pass, or raise api_budget_percent "
        "(`aurora-sync settings set api_budget_percent 90`)"
    ),
    BreakerTripped: "look with --dry-run; if it is meant, repeat with --force",
    ContractBroken: "nothing was lost; compare the API versions of both sides",
    AlreadyRunning: "wait for it (`aurora-sync status`)",
}


def cure_of(error: WorkerError) -> str:
    """Return what to do about `error`; empty where its own text says it."""
    # Adapters put the cure into the detail where only they know it.
    if "aurora-sync " in str(error):
        return ""
    return cure_for(type(error), str(getattr(error, "service", "")))


def cure_for(kind: type[WorkerError], service: str) -> str:
    """Return what to do about an error of which only class and service are known."""
    return _CURES.get((kind, service)) or _ANY_SERVICE.get(kind, "")
