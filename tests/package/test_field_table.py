"""The package holds the product's field table, field by field."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from worker.domain import mapping
from worker.salesforce.package.archive import NAMESPACE, ROOT

OBJECTS = ROOT / "force-app/main/default/objects"
M = f"{{{NAMESPACE}}}"

TEXT_80 = {"type": "Text", "length": "80"}
TEXT_255 = {"type": "Text", "length": "255"}
LONG_TEXT = {"type": "LongTextArea", "length": "32768"}
COUNT = {"type": "Number", "precision": "18", "scale": "0"}
KEY = {
    "type": "Text",
    "length": "120",
    "externalId": "true",
    "unique": "true",
    "caseSensitive": "true",
}

COMMUNITY_USER = {
    "Community_User_Key__c": KEY,
    "First_Name__c": TEXT_255,
    "Last_Name__c": TEXT_255,
    "Email__c": {"type": "Email"},
    "Khoros_User_ID__c": COUNT,
    "Is_Deleted__c": {"type": "Checkbox", "defaultValue": "false"},
    "Rank__c": TEXT_255,
    "Roles__c": LONG_TEXT,
    "Registration_Time__c": {"type": "DateTime"},
    "Last_Visit_Time__c": {"type": "DateTime"},
    "Biography__c": LONG_TEXT,
    "Administrative_Notes__c": LONG_TEXT,
    "Location__c": TEXT_255,
    "Khoros_SSO_ID__c": {
        "type": "Text",
        "length": "255",
        "externalId": "true",
        "unique": "true",
        "caseSensitive": "false",
    },
    "Avatar_URL__c": {"type": "LongTextArea", "length": "2000"},
    "Community_User_URL__c": {"type": "Url"},
    "Community_ID__c": TEXT_255,
    "Community__c": TEXT_80,
    "Metric_Logins__c": COUNT,
    "Metric_Minutes_Online__c": COUNT,
    "Metric_Page_Views__c": COUNT,
    "Metric_Posts__c": COUNT,
    "Metric_Messages_Read__c": COUNT,
    "Metric_Private_Messages_Sent__c": COUNT,
    "Metric_Private_Messages_Received__c": COUNT,
    # "14,4" as the vendor's pages say it: digits before and after the point.
    "Metric_Average_Message_Rating__c": {
        "type": "Number",
        "precision": "18",
        "scale": "4",
    },
    "Kudos_Count__c": COUNT,
    "Accepted_Solutions__c": COUNT,
    "REST_URL__c": {"type": "TextArea"},
    "Contact__c": {
        "type": "Lookup",
        "referenceTo": "Contact",
        "relationshipName": "Community_Users",
        "relationshipLabel": "Community Users",
        "deleteConstraint": "SetNull",
    },
    "Contact_Link__c": {
        "type": "Picklist",
        "restricted": "true",
        "values": ["Linked", "Created", "None", "Ambiguous", "Assigned"],
    },
}

CONTACT = {
    "Community_Member_Key__c": KEY,
    "Community_Rank__c": TEXT_255,
    "Community_Posts__c": COUNT,
    "Community_Kudos__c": COUNT,
    "Community_Accepted_Solutions__c": COUNT,
    "Community_Last_Visit_Time__c": {"type": "DateTime"},
    "Community_Profile_URL__c": {"type": "Url"},
}

# What a field is, as opposed to how it is labelled and shown.
FACTS = (
    "caseSensitive",
    "defaultValue",
    "deleteConstraint",
    "externalId",
    "length",
    "precision",
    "referenceTo",
    "relationshipLabel",
    "relationshipName",
    "scale",
    "type",
    "unique",
)


def facts(root: etree._Element) -> dict[str, object]:
    found: dict[str, object] = {
        name: root.findtext(M + name)
        for name in FACTS
        if root.find(M + name) is not None
    }
    values = root.find(M + "valueSet")
    if values is not None:
        found["restricted"] = values.findtext(M + "restricted")
        found["values"] = [
            one.findtext(M + "fullName") for one in values.iter(M + "value")
        ]
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Community_User__c", COMMUNITY_USER), ("Contact", CONTACT)],
)
def test_holds_exactly_the_fields_of_the_product_table(name, expected):
    folder = OBJECTS / name / "fields"

    held = {
        path.name.removesuffix(".field-meta.xml"): facts(etree.parse(path).getroot())
        for path in folder.iterdir()
    }

    assert held == expected


def test_holds_every_field_that_the_mapping_writes():
    rules = (*mapping.MEMBER_FIELDS, *mapping.SLOW_FIELDS)
    contact_rules = (*mapping.CONTACT_FIELDS, *mapping.NEW_CONTACT_FIELDS)

    written = {rule.field for rule in rules} | set(mapping.LINK_FIELDS)
    written_on_contact = {rule.field for rule in contact_rules}

    assert written - {"Name"} == set(COMMUNITY_USER)
    assert written_on_contact - {"LastName", "FirstName", "Email"} == set(CONTACT)


def test_the_page_lists_every_field_with_its_label_and_description():
    page = (ROOT.parents[2] / "docs/salesforce-package.md").read_text(encoding="utf-8")

    told = {
        (row.group("label"), row.group("name"), row.group("holds").replace("`", ""))
        for row in re.finditer(
            r"^\| (?P<label>[^|]+) \(`(?P<name>\w+__c)`\) \| [^|]+"
            r" \| (?P<holds>[^|]+) \|$",
            page,
            re.MULTILINE,
        )
    }

    roots = [etree.parse(path).getroot() for path in OBJECTS.glob("*/fields/*")]
    assert told == {
        tuple(root.findtext(M + one) for one in ("label", "fullName", "description"))
        for root in roots
    }


def test_keeps_the_object_open_to_reports_search_bulk_and_history():
    root = etree.parse(
        OBJECTS / "Community_User__c/Community_User__c.object-meta.xml"
    ).getroot()

    held = {
        etree.QName(child).localname: child.text for child in root if not len(child)
    }
    held.pop("description")

    assert held == {
        "compactLayoutAssignment": "Member_Summary",
        "deploymentStatus": "Deployed",
        "enableActivities": "false",
        "enableBulkApi": "true",
        "enableFeeds": "false",
        "enableHistory": "true",
        "enableReports": "true",
        "enableSearch": "true",
        "enableSharing": "true",
        "enableStreamingApi": "true",
        "label": "Community User",
        "pluralLabel": "Community Users",
        "sharingModel": "ReadWrite",
    }
    assert root.findtext(f"{M}nameField/{M}label") == "Login"
    assert root.findtext(f"{M}nameField/{M}type") == "Text"
