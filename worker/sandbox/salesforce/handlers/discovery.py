"""What the org offers: versions, resources, describes, limits, counts."""

from email.utils import format_datetime, parsedate_to_datetime

from worker.sandbox.salesforce.clock import moment_of
from worker.sandbox.salesforce.describe import global_entry, object_describe
from worker.sandbox.salesforce.errors import not_found
from worker.sandbox.salesforce.exchange import Answer, Call
from worker.sandbox.salesforce.schema import ObjectType

OLDEST, NEWEST = 31, 68
_SEASONS = ("Winter", "Spring", "Summer")


def versions(call: Call) -> Answer:
    del call
    return Answer(
        200,
        [
            {
                "label": _label(number),
                "url": f"/services/data/v{number}.0",
                "version": f"{number}.0",
            }
            for number in range(OLDEST, NEWEST + 1)
        ],
    )


def _label(number: int) -> str:
    # 59.0 is Winter '24; three releases a year.
    years, season = divmod(number - 59, 3)
    return f"{_SEASONS[season]} '{24 + years}"


def resources(call: Call) -> Answer:
    base = f"/services/data/{call.version}"
    names = ("composite", "jobs", "limits", "metadata", "query", "queryAll", "sobjects")
    found: dict[str, object] = {name: f"{base}/{name}" for name in names}
    found["tooling"] = f"{base}/tooling"
    org_id = call.services.identity.org_id
    found["identity"] = f"{call.base_url}/id/{org_id}/{call.user_id}"
    return Answer(200, found)


def readable_type(call: Call, name: str) -> ObjectType:
    """Return a type the caller may read; for others it does not exist."""
    org = call.services.org
    of = org.types.get(name.lower())
    if of is None or not org.access.of(call.user_id, of).read:
        raise not_found()
    return of


def global_describe(call: Call) -> Answer:
    org = call.services.org
    entries = [
        global_entry(of, call.version)
        for of in sorted(org.types.values(), key=lambda of: of.name)
        if org.access.of(call.user_id, of).read
    ]
    return Answer(200, {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})


def basic_information(call: Call) -> Answer:
    of = readable_type(call, call.params["type"])
    return Answer(
        200, {"objectDescribe": global_entry(of, call.version), "recentItems": []}
    )


def describe(call: Call) -> Answer:
    """Answer the full describe, or 304 when the schema is older than asked."""
    org = call.services.org
    of = readable_type(call, call.params["type"])
    changed_at = moment_of(org.schema_stamp)
    headers = {"Last-Modified": format_datetime(changed_at, usegmt=True)}
    since = call.header("if-modified-since")
    if since and changed_at <= parsedate_to_datetime(since):
        return Answer(304, None, headers=headers)
    rights = org.access.of(call.user_id, of)
    body = object_describe(org, of, rights, call.version)
    return Answer(200, body, headers=headers)


def limits(call: Call) -> Answer:
    usage = call.services.org.usage
    others = {
        "ActiveScratchOrgs": 3,
        "ConcurrentAsyncGetReportInstances": 200,
        "DailyAsyncApexExecutions": 250_000,
        "DailyBulkApiBatches": 15_000,
        "DailyBulkV2QueryFileStorageMB": 976_562,
        "DailyBulkV2QueryJobs": 10_000,
        "DailyDeliveredPlatformEvents": 10_000,
        "DataStorageMB": 5_120,
        "FileStorageMB": 5_120,
    }
    body = {name: {"Max": size, "Remaining": size} for name, size in others.items()}
    body["DailyApiRequests"] = {"Max": usage.allowed, "Remaining": usage.remaining}
    return Answer(200, body)


def record_count(call: Call) -> Answer:
    org = call.services.org
    asked = [n for n in call.query.get("sObjects", "").split(",") if n]
    types = [org.types[n.lower()] for n in asked if n.lower() in org.types]
    counts = [
        {"count": len(org.tables[of.name].rows), "name": of.name}
        for of in (types if asked else org.types.values())
        if org.tables[of.name].rows and org.access.of(call.user_id, of).read
    ]
    return Answer(200, {"sObjects": counts})
