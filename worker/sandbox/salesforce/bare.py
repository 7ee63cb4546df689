"""The furniture of a new org: its name, profiles, users, case statuses, one queue."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.sandbox.salesforce.org import Org

AGENTS = (("Grace", "Agent"), ("Ömer", "Agent"), ("Ида", "Агентова"))
CASE_STATUSES = (
    ("New", False),
    ("Working", False),
    ("Escalated", False),
    ("Closed", True),
)


def furnish(org: "Org") -> None:
    """Put in what every org has on its first day; all ids follow from the order."""
    org.insert(
        "Organization",
        Name="Sandbox Org",
        InstanceName="SBX0",
        IsSandbox=True,
        OrganizationType="Developer Edition",
        LanguageLocaleKey="en_US",
        TimeZoneSidKey="GMT",
    )
    admin_profile = _profile(org, "System Administrator", powerful=True)
    user_profile = _profile(org, "Standard User", powerful=False)
    org.admin_id = _user(
        org, "Integration", "User", "integr", admin_profile, "integration@org.example"
    )
    for number, (first, last) in enumerate(AGENTS, start=1):
        email = f"agent{number}@org.example"
        _user(org, first, last, f"agent{number}", user_profile, email)
    for order, (label, closed) in enumerate(CASE_STATUSES, start=1):
        org.insert(
            "CaseStatus",
            MasterLabel=label,
            ApiName=label,
            SortOrder=order,
            IsDefault=order == 1,
            IsClosed=closed,
        )
    org.insert(
        "Group",
        Name="Community Support",
        DeveloperName="Community_Support",
        Type="Queue",
    )


def _profile(org: "Org", name: str, *, powerful: bool) -> str:
    """A profile and the permission set that the platform keeps for it."""
    rights = {
        "PermissionsApiEnabled": True,
        "PermissionsModifyAllData": powerful,
        "PermissionsModifyMetadata": powerful,
        "PermissionsViewSetup": powerful,
        "PermissionsCustomizeApplication": powerful,
    }
    profile = org.insert("Profile", Name=name, UserType="Standard", **rights)
    org.insert(
        "PermissionSet",
        Name=f"X{profile}",
        Label=f"X{profile}",
        IsOwnedByProfile=True,
        ProfileId=profile,
        **rights,
    )
    return profile


def _user(
    org: "Org", first: str, last: str, alias: str, profile: str, email: str
) -> str:
    user = org.insert(
        "User",
        FirstName=first,
        LastName=last,
        Alias=alias,
        Username=email,
        Email=email,
        IsActive=True,
        ProfileId=profile,
        UserType="Standard",
        TimeZoneSidKey="GMT",
        LocaleSidKey="en_US",
        LanguageLocaleKey="en_US",
    )
    (held,) = org.find("PermissionSet", ProfileId=profile)
    org.insert(
        "PermissionSetAssignment",
        PermissionSetId=held["Id"],
        AssigneeId=user,
        IsActive=True,
    )
    return user
