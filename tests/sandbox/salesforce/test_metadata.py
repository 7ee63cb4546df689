import pytest

FIELD = "<fullName>F__c</fullName><label>F</label>"
OBJECTS = "objects/Contact.object"


def field(inner, *, head=FIELD):
    return f"<fields>{head}{inner}</fields>"


@pytest.fixture
def deploy_field(client, package):
    """Deploys one custom field of Contact; returns its message."""

    def deploy(inner):
        archive = package(
            {OBJECTS: ("CustomObject", inner)}, [("CustomField", "Contact.F__c")]
        )
        result = client.deploy(archive)
        details = result["details"]
        (message,) = details["componentFailures"] + details["componentSuccesses"]
        return message

    return deploy


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<type>Text</type><length>50</length>", ("string", 50, 0, 0)),
        ("<type>TextArea</type>", ("textarea", 255, 0, 0)),
        (
            (
                "<type>LongTextArea</type><length>32768</length>"
                "<visibleLines>3</visibleLines>"
            ),
            ("textarea", 32768, 0, 0),
        ),
        (
            "<type>Number</type><precision>18</precision><scale>0</scale>",
            ("double", 0, 18, 0),
        ),
        (
            "<type>Checkbox</type><defaultValue>false</defaultValue>",
            ("boolean", 0, 0, 0),
        ),
        ("<type>DateTime</type>", ("datetime", 0, 0, 0)),
        ("<type>Email</type>", ("email", 80, 0, 0)),
        ("<type>Url</type>", ("url", 255, 0, 0)),
        (
            (
                "<type>Lookup</type><referenceTo>Account</referenceTo>"
                "<relationshipName>Fs</relationshipName>"
            ),
            ("reference", 18, 0, 0),
        ),
    ],
)
def test_makes_a_field(deploy_field, org, inner, expected):
    message = deploy_field(field(inner))

    made = org.type("Contact").field("F__c")
    assert message["created"] is True
    assert (made.type, made.length, made.precision, made.scale) == expected


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        (field("<type>Nope</type>"), "'Nope' is not a valid value for the enum"),
        (field("<type>Text</type>"), "Must specify 'length' for a CustomField"),
        (field("<type>Text</type><length>256</length>"), "Text fields must have"),
        (
            field(
                "<type>Text</type><length>5</length>", head="<fullName>F__c</fullName>"
            ),
            "Must specify a non-empty label",
        ),
        (
            field(
                "<type>Text</type><length>5</length>",
                head=f"<fullName>F__c</fullName><label>{'x' * 41}</label>",
            ),
            "Value too long for field: label",
        ),
        (field("<type>LongTextArea</type><length>300</length>"), "'visibleLines'"),
        (
            field(
                "<type>LongTextArea</type><length>200</length>"
                "<visibleLines>3</visibleLines>"
            ),
            "Long text fields must have",
        ),
        (field("<type>Checkbox</type>"), "Must specify 'defaultValue'"),
        (
            field("<type>Number</type><precision>19</precision><scale>0</scale>"),
            "Precision must be",
        ),
        (
            field("<type>Number</type><precision>4</precision><scale>5</scale>"),
            "Can not specify a scale larger",
        ),
        (
            field("<type>Url</type><externalId>true</externalId>"),
            "Can not specify 'externalId' for a CustomField of type Url",
        ),
        (
            field("<type>Lookup</type><referenceTo>Account</referenceTo>"),
            "Must specify 'relationshipName'",
        ),
        (
            field(
                "<type>Lookup</type><referenceTo>Nope__c</referenceTo>"
                "<relationshipName>Fs</relationshipName>"
            ),
            "referenceTo value of 'Nope__c' does not resolve",
        ),
        (field("<type>Picklist</type>"), "Must specify a valueSet"),
        (field("<type>Text</type><length>5</length><formula>1</formula>"), "Formula"),
    ],
)
def test_refuses_a_field(deploy_field, org, inner, problem):
    message = deploy_field(inner)

    assert message["problemType"] == "Error"
    assert problem in message["problem"]
    assert org.type("Contact").field("F__c") is None


def test_names_the_line_of_a_fault(client, package):
    inner = (
        "\n<fields>\n<fullName>F__c</fullName><label>F</label>\n<type>X</type></fields>"
    )

    result = client.deploy(
        package({OBJECTS: ("CustomObject", inner)}, [("CustomField", "Contact.F__c")])
    )

    (failure,) = result["details"]["componentFailures"]
    assert (failure["fileName"], failure["lineNumber"]) == (OBJECTS, 4)


def test_changes_nothing_when_one_part_fails(client, org, package):
    good = field("<type>Text</type><length>5</length>")
    bad = field("<type>X</type>", head="<fullName>G__c</fullName><label>G</label>")
    members = [("CustomField", "Contact.F__c"), ("CustomField", "Contact.G__c")]

    result = client.deploy(package({OBJECTS: ("CustomObject", good + bad)}, members))

    assert (result["status"], result["success"]) == ("Failed", False)
    assert (result["numberComponentErrors"], result["numberComponentsTotal"]) == (1, 2)
    assert org.type("Contact").field("F__c") is None


def test_keeps_the_sound_parts_when_rollback_is_off(client, org, package):
    good = field("<type>Text</type><length>5</length>")
    bad = field("<type>X</type>", head="<fullName>G__c</fullName><label>G</label>")
    members = [("CustomField", "Contact.F__c"), ("CustomField", "Contact.G__c")]
    archive = package({OBJECTS: ("CustomObject", good + bad)}, members)

    result = client.deploy(archive, rollbackOnError=False)

    assert result["status"] == "SucceededPartial"
    assert org.type("Contact").field("F__c") is not None


def test_checks_without_changing(client, org, thing_package):
    result = client.deploy(thing_package, checkOnly=True)

    assert (result["status"], result["checkOnly"]) == ("Succeeded", True)
    assert "thing__c" not in org.types


def test_repeating_a_deploy_changes_nothing(client, thing_package):
    first = client.deploy(thing_package)["details"]["componentSuccesses"]
    second = client.deploy(thing_package)["details"]["componentSuccesses"]

    assert {(m["created"], m["changed"]) for m in first} == {(True, True)}
    assert {(m["created"], m["changed"]) for m in second} == {(False, False)}


def test_new_fields_of_old_rows_are_empty(client, org, package):
    held = org.insert("Contact", LastName="x")
    inner = field("<type>Checkbox</type><defaultValue>true</defaultValue>")

    client.deploy(
        package({OBJECTS: ("CustomObject", inner)}, [("CustomField", "Contact.F__c")])
    )

    assert org.get("Contact", held)["F__c"] is True


GRANT = (
    "<fieldPermissions><editable>true</editable><field>{}</field>"
    "<readable>true</readable></fieldPermissions>"
)


@pytest.mark.parametrize(
    ("inner", "problem"),
    [
        (GRANT.format("Contact.No__c"), "no CustomField named Contact.No__c found"),
        (GRANT.format("Contact.LastName"), "You cannot deploy to a required field"),
        (
            (
                "<objectPermissions><allowEdit>true</allowEdit><object>Contact</object>"
                "</objectPermissions>"
            ),
            "depends on permission(s): allowRead Contact",
        ),
        (
            (
                "<objectPermissions><allowRead>true</allowRead><object>No__c</object>"
                "</objectPermissions>"
            ),
            "no CustomObject named No__c found",
        ),
    ],
)
def test_refuses_a_permission_set(client, package, inner, problem):
    archive = package(
        {
            "permissionsets/P.permissionset": (
                "PermissionSet",
                f"{inner}<label>P</label>",
            )
        },
        [("PermissionSet", "P")],
    )

    (failure,) = client.deploy(archive)["details"]["componentFailures"]

    assert problem in failure["problem"]


@pytest.mark.parametrize(
    ("file", "root", "inner", "problem"),
    [
        (
            "layouts/Contact-L.layout",
            "Layout",
            (
                "<layoutSections><layoutColumns><layoutItems><behavior>Edit</behavior>"
                "<field>No__c</field></layoutItems></layoutColumns></layoutSections>"
            ),
            "no CustomField named Contact.No__c found",
        ),
        (
            "layouts/Contact-L.layout",
            "Layout",
            "<relatedLists><relatedList>No__c.Contact__c</relatedList></relatedLists>",
            "Cannot find related list:No__c.Contact__c",
        ),
        ("tabs/No__c.tab", "CustomTab", "<customObject>true</customObject>", "No__c"),
        (
            "applications/A.app",
            "CustomApplication",
            "<label>A</label><tabs>No__c</tabs>",
            "no CustomTab named No__c",
        ),
        ("layouts/Contact-L.layout", "PermissionSet", "", "invalid at this location"),
    ],
)
def test_refuses_what_leans_on_nothing(client, package, file, root, inner, problem):
    kinds = {
        "layouts": "Layout",
        "tabs": "CustomTab",
        "applications": "CustomApplication",
    }
    folder, _, name = file.partition("/")
    archive = package({file: (root, inner)}, [(kinds[folder], name.rpartition(".")[0])])

    (failure,) = client.deploy(archive)["details"]["componentFailures"]

    assert problem in failure["problem"]


def test_compares_the_manifest_with_the_files(client, package):
    archive = package(
        {"tabs/A.tab": ("CustomTab", "<motif>Custom1</motif>")}, [("CustomTab", "B")]
    )

    failures = client.deploy(archive)["details"]["componentFailures"]

    assert sorted(f["problem"] for f in failures) == [
        (
            "An object 'B' of type CustomTab was named in package.xml, but was not "
            "found in zipped directory"
        ),
        "Not in package.xml: CustomTab A",
    ]


def test_fails_without_a_readable_archive(client):
    result = client.deploy(b"not a zip")

    assert (result["status"], result["errorMessage"]) == ("Failed", "Invalid zip file")


def test_asks_for_the_right_to_deploy(client, org, sandbox, thing_package):
    agent = org.find("User", Alias="agent1")[0]["Id"]
    token = sandbox.services.identity.open(agent)
    client.http.headers["Authorization"] = f"Bearer {token}"

    answer = client.call(
        "POST",
        "metadata/deployRequest",
        files={"json": (None, "{}"), "file": ("p.zip", thing_package)},
    )

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (
        403,
        "INSUFFICIENT_ACCESS",
    )


def test_describes_what_was_deployed(client, things):
    described = client.get("sobjects/Thing__c/describe").json()

    key = next(f for f in described["fields"] if f["name"] == "Key__c")
    shown = {
        name: key[name]
        for name in ("type", "length", "unique", "externalId", "idLookup", "custom")
    }
    assert described["keyPrefix"] == things.type("Thing__c").prefix
    assert shown == {
        "type": "string",
        "length": 20,
        "unique": True,
        "externalId": True,
        "idLookup": True,
        "custom": True,
    }
    contact = client.get("sobjects/Contact/describe").json()
    assert {
        "childSObject": "Thing__c",
        "field": "Contact__c",
        "relationshipName": "Things__r",
        "cascadeDelete": False,
        "restrictedDelete": False,
        "deprecatedAndHidden": False,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
    } in contact["childRelationships"]


def test_answers_304_for_an_old_describe(client):
    first = client.get("sobjects/Contact/describe")
    headers = {"If-Modified-Since": first.headers["Last-Modified"]}

    second = client.get("sobjects/Contact/describe", headers=headers)

    assert (second.status_code, second.content) == (304, b"")
