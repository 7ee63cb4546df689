import io
import json
import time
import zipfile
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from worker.sandbox.salesforce import SalesforceSandbox
from worker.sandbox.server import run_in_thread

PREFIX = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


class ToSandbox(HTTPAdapter):
    """Sends what a client addresses to https to the sandbox instead."""

    def __init__(self, base_url):
        super().__init__()
        self._base = urlsplit(base_url)

    def send(self, request, **kwargs):
        parts = urlsplit(request.url)
        request.url = urlunsplit(
            (self._base.scheme, self._base.netloc, parts.path, parts.query, "")
        )
        kwargs["timeout"] = kwargs.get("timeout") or 10
        return super().send(request, **kwargs)


class Client:
    """A bare HTTP client with a session of the org."""

    def __init__(self, base_url, credentials):
        self.base_url = base_url
        self.credentials = credentials
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Authorization"] = f"Bearer {credentials['access_token']}"

    def call(self, method, path, **kwargs):
        root = "" if path.startswith("/") else "/services/data/v62.0/"
        return self.http.request(
            method, f"{self.base_url}{root}{path}", timeout=10, **kwargs
        )

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, json=body, **kwargs)

    def patch(self, path, body=None, **kwargs):
        return self.call("PATCH", path, json=body, **kwargs)

    def delete(self, path, **kwargs):
        return self.call("DELETE", path, **kwargs)

    def query(self, statement, **kwargs):
        return self.get("query", params={"q": statement}, **kwargs)

    def collections(self, method, path, rows, type_name="Contact", **options):
        records = [{"attributes": {"type": type_name}, **row} for row in rows]
        body = {"records": records, **options}
        return self.call(method, f"composite/sobjects{path}", json=body)

    def ingest(self, operation, csv, type_name="Contact", *, key=None, **options):
        """Run a job to its end; returns its last info."""
        body = {"object": type_name, "operation": operation, **options}
        if key:
            body["externalIdFieldName"] = key
        job = self.post("jobs/ingest", body).json()
        self.call(
            "PUT",
            f"jobs/ingest/{job['id']}/batches",
            data=csv.encode() if isinstance(csv, str) else csv,
            headers={"Content-Type": "text/csv"},
        )
        self.patch(f"jobs/ingest/{job['id']}", {"state": "UploadComplete"})
        return self.wait(f"jobs/ingest/{job['id']}")

    def wait(self, path):
        for _ in range(500):
            info = self.get(path).json()
            if info["state"] in ("JobComplete", "Failed", "Aborted"):
                return info
            time.sleep(0.002)
        raise AssertionError(f"{path} did not end")

    def deploy(self, archive, **options):
        parts = {
            "json": (None, json.dumps({"deployOptions": options}), "application/json"),
            "file": ("package.zip", archive, "application/zip"),
        }
        started = self.call("POST", "metadata/deployRequest", files=parts).json()
        path = f"metadata/deployRequest/{started['id']}?includeDetails=true"
        for _ in range(500):
            result = self.get(path).json()["deployResult"]
            if result["done"]:
                return result
            time.sleep(0.002)
        raise AssertionError("the deploy did not end")


@pytest.fixture
def sandbox():
    return SalesforceSandbox()


@pytest.fixture
def org(sandbox):
    return sandbox.org


@pytest.fixture
def base_url(sandbox):
    with run_in_thread(sandbox.app) as url:
        yield url


@pytest.fixture
def client(sandbox, base_url):
    made = Client(base_url, sandbox.credentials(base_url))
    yield made
    made.http.close()


@pytest.fixture
def to_sandbox(base_url):
    """A requests session that sends https calls to the sandbox."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", ToSandbox(base_url))
    yield session
    session.close()


@pytest.fixture
def simple(client, to_sandbox):
    """simple-salesforce itself, in direct mode."""
    return Salesforce(
        session_id=client.credentials["access_token"],
        instance_url=client.base_url,
        session=to_sandbox,
        version="62.0",
    )


def _types(members):
    kinds = {}
    for kind, name in members:
        kinds.setdefault(kind, []).append(name)
    return "".join(
        f"<types>{''.join(f'<members>{n}</members>' for n in names)}"
        f"<name>{kind}</name></types>"
        for kind, names in kinds.items()
    )


@pytest.fixture
def package():
    """Builds a package's zip from files and the members its manifest names."""

    def build(files, members):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            manifest = f"{_types(members)}<version>62.0</version>"
            archive.writestr(
                "package.xml", f"{PREFIX}<Package {NAMESPACE}>{manifest}</Package>"
            )
            for name, (root, inner) in files.items():
                text = f"{PREFIX}<{root} {NAMESPACE}>{inner}</{root}>"
                archive.writestr(name, text)
        return buffer.getvalue()

    return build


THING = (
    "<deploymentStatus>Deployed</deploymentStatus><label>Thing</label>"
    "<nameField><label>Name</label><type>Text</type></nameField>"
    "<pluralLabel>Things</pluralLabel><sharingModel>ReadWrite</sharingModel>"
)
KEY = (
    "<fields><fullName>Key__c</fullName><caseSensitive>true</caseSensitive>"
    "<externalId>true</externalId><label>Key</label><length>20</length>"
    "<type>Text</type><unique>true</unique></fields>"
)
COUNT = (
    "<fields><fullName>Count__c</fullName><label>Count</label><precision>6</precision>"
    "<scale>2</scale><type>Number</type></fields>"
)
OWNER = (
    "<fields><fullName>Contact__c</fullName><label>Contact</label>"
    "<referenceTo>Contact</referenceTo><relationshipName>Things</relationshipName>"
    "<type>Lookup</type></fields>"
)
PICK = (
    "<fields><fullName>Colour__c</fullName><label>Colour</label><type>Picklist</type>"
    "<valueSet><restricted>true</restricted><valueSetDefinition>"
    "<sorted>false</sorted><value><fullName>Red</fullName><default>true</default>"
    "<label>Red</label></value><value><fullName>Blue</fullName><default>false</default>"
    "<label>Blue</label></value></valueSetDefinition></valueSet></fields>"
)
SEEN = (
    "<fields><fullName>Seen__c</fullName><label>Seen</label><type>DateTime</type>"
    "</fields>"
)
THING_FIELDS = ("Key__c", "Count__c", "Contact__c", "Colour__c", "Seen__c")


def _field_grant(name):
    return (
        f"<fieldPermissions><editable>true</editable><field>Thing__c.{name}</field>"
        "<readable>true</readable></fieldPermissions>"
    )


GRANTS = (
    "".join(_field_grant(name) for name in THING_FIELDS)
    + "<label>Things</label><objectPermissions><allowCreate>true</allowCreate>"
    "<allowDelete>true</allowDelete><allowEdit>true</allowEdit>"
    "<allowRead>true</allowRead><modifyAllRecords>false</modifyAllRecords>"
    "<object>Thing__c</object><viewAllRecords>false</viewAllRecords>"
    "</objectPermissions>"
)


@pytest.fixture
def thing_package(package):
    """A custom object with a key, a number, a lookup, a picklist and its grants."""
    fields = KEY + COUNT + OWNER + PICK + SEEN
    return package(
        {
            "objects/Thing__c.object": ("CustomObject", fields + THING),
            "permissionsets/Things.permissionset": ("PermissionSet", GRANTS),
        },
        [("CustomObject", "Thing__c"), ("PermissionSet", "Things")],
    )


@pytest.fixture
def things(client, org, thing_package):
    """The custom object is in the org and granted to the integration user."""
    result = client.deploy(thing_package)
    assert result["status"] == "Succeeded", result
    org.assign("Things")
    return org
