"""SOQL over REST: query, queryAll, their further pages, explain, column metadata."""

import re

from worker.sandbox.salesforce.errors import RequestRefused
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.soql import columns
from worker.sandbox.salesforce.soql.run import Found, run

_DEFAULT_PAGE = 2_000
_SMALLEST_PAGE = 200
_BATCH_SIZE = re.compile(r"batchsize\s*=\s*(\d+)", re.IGNORECASE)


def query(call: Call) -> Answer:
    return _answer(call, deleted=False, path="query")


def query_all(call: Call) -> Answer:
    return _answer(call, deleted=True, path="queryAll")


def _answer(call: Call, *, deleted: bool, path: str) -> Answer:
    statement = call.query.get("q")
    if "explain" in call.query:
        return _explain(call, call.query["explain"])
    if not statement:
        raise RequestRefused("MALFORMED_QUERY", "A query string has to be specified")
    found = run(call.services.org, statement, user_id=call.user_id, deleted=deleted)
    if call.query.get("columns", "").lower() == "true":
        return Answer(200, columns.metadata(call.services.org, found, call.user_id))
    url = f"/services/data/{call.version}/{path}"
    page = call.services.cursors.page(found, _page_size(call), call.version, url)
    return Answer(200, page)


def _page_size(call: Call) -> int:
    """The vendor takes 200 to 2,000; the sandbox's own page size beats both."""
    if call.services.page_size:
        return call.services.page_size
    asked = _BATCH_SIZE.search(call.header("sforce-query-options"))
    if asked is None:
        return _DEFAULT_PAGE
    return min(_DEFAULT_PAGE, max(_SMALLEST_PAGE, int(asked[1])))


def more(call: Call) -> Answer:
    """The page of a locator of query or queryAll."""
    path = call.path.rpartition("/")[0]
    cursors = call.services.cursors
    return Answer(200, cursors.next_page(call.params["locator"], call.version, path))


def _explain(call: Call, statement: str) -> Answer:
    found: Found = run(call.services.org, statement, user_id=call.user_id)
    total = len(call.services.org.tables[found.of.name].rows)
    plan = {
        "cardinality": found.total,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": 1.0,
        "sobjectCardinality": total,
        "sobjectType": found.of.name,
    }
    return Answer(200, {"plans": [plan], "sourceQuery": statement})
