"""SOAP envelopes: reads the call out of one, writes answers and faults."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.exchange import Answer
from worker.sandbox.salesforce.metadata.package import local, parse_xml

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
PARTNER = "urn:partner.soap.sforce.com"
METADATA = "http://soap.sforce.com/2006/04/metadata"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XML = "text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """The operation in the body and the session in the header."""

    operation: str
    element: etree._Element
    session_id: str

    def text(self, name: str) -> str:
        """The text of the first descendant of this name, whatever its namespace."""
        found = find(self.element, name)
        return "" if found is None else (found.text or "")

    def texts(self, name: str) -> list[str]:
        return [
            (e.text or "").strip()
            for e in self.element.iter("{*}*")
            if local(e) == name
        ]


def find(element: etree._Element, name: str) -> etree._Element | None:
    wanted = name.lower()
    for found in element.iter("{*}*"):
        if local(found).lower() == wanted:
            return found
    return None


def read(body: bytes) -> Request:
    """Read an envelope; what is none is refused as a SOAP fault."""
    try:
        root = parse_xml(body)
    except etree.XMLSyntaxError as error:
        raise RequestRefused("INVALID_SOAP", str(error.msg), status=500) from None
    content = root.find(f"{{{ENVELOPE}}}Body")
    if content is None or not len(content):
        raise RequestRefused("INVALID_SOAP", "The envelope has no body", status=500)
    head = root.find(f"{{{ENVELOPE}}}Header")
    session = None if head is None else find(head, "sessionId")
    operation = content[0]
    token = "" if session is None else (session.text or "").strip()
    return Request(local(operation), operation, token)


def write(name: str, value: object) -> str:
    """Write a value as elements; dictionaries nest, lists repeat, None is left out."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "".join(write(name, item) for item in value)
    if isinstance(value, dict):
        inner = "".join(write(key, item) for key, item in value.items())
        return f"<{name}>{inner}</{name}>"
    if isinstance(value, bool):
        return f"<{name}>{'true' if value else 'false'}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


def answer(operation: str, namespace: str, result: object) -> Answer:
    return raw_answer(operation, namespace, write("result", result))


def raw_answer(operation: str, namespace: str, inner: str) -> Answer:
    """Answer in a default namespace: some clients look for bare element names."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv='
        f'"{ENVELOPE}" xmlns="{namespace}" xmlns:xsi="{_XSI}"><soapenv:Body>'
        f"<{operation}Response>{inner}</{operation}Response>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Answer(200, text, _XML)


def fault(code: str, message: str, *, kind: str = "UnexpectedErrorFault") -> Answer:
    """A fault as the vendor writes it: HTTP 500, prefix `sf`."""
    shown = escape(message)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv='
        f'"{ENVELOPE}" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="{_XSI}">'
        f"<soapenv:Body><soapenv:Fault><faultcode>sf:{code}</faultcode>"
        f"<faultstring>{code}: {shown}</faultstring><detail><sf:{kind} xsi:type="
        f'"sf:{kind}"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>'
        f"{shown}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault>"
        "</soapenv:Body></soapenv:Envelope>"
    )
    return Answer(500, text, _XML)
