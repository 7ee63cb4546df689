"""
The worker, measured from inside: performs one thing told by its argument and prints
what it cost as one JSON line. Started anew for each measurement.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.bench.profiles import profiled
from worker import bootstrap, http, logs
from worker.aurora.client import SEARCH
from worker.aurora.queries import MemberQueries
from worker.domain import ranges
from worker.domain.records import Side
from worker.salesforce import csvfile, deploy
from worker.salesforce.queries import all_contacts
from worker.settings import load_settings
from worker.sync.full_pass import PARTS_PER_READER

# Stand for a range's bounds in the query that the floor is given.
LOW, HIGH = 111_222_333, 444_555_666


def main() -> None:
    what = json.loads(sys.argv[1])
    settings = load_settings()
    logs.configure(log_format="console", level=settings.log_level)
    with bootstrap.services(settings) as services:
        told = DOES[what["do"]](services, what)
    told["peak_rss_mib"] = round(peak_rss_mib(), 1)
    print(json.dumps(told))


def prepare(services: bootstrap.Services, _: dict[str, Any]) -> dict[str, Any]:
    services.prepare()
    crm = services.salesforce()
    with http.session(
        connect_timeout=timedelta(seconds=10), read_timeout=timedelta(seconds=60)
    ) as session:
        report = deploy.deploy(crm.connection(), check_only=False, session=session)
        deploy.assign_permission_set(
            crm.connection(),
            session,
            deploy.SYNC_PERMISSION_SET,
            crm.identity().user_id,
        )
    return {"state": report.state}


def run(services: bootstrap.Services, what: dict[str, Any]) -> dict[str, Any]:
    """
    Perform one run. `keep`: a folder for the files of its Bulk jobs; `profile`: a file
    for the table of own times, which costs time itself.
    """
    if what.get("keep"):
        keep_files(Path(what["keep"]))
    queued = services.sync.request("members", trigger="cli", full=what.get("full"))
    with profiled(what.get("profile")):
        began, cpu = time.perf_counter(), time.process_time()
        report = services.sync.perform(queued.id)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    if report is None or report.state != "succeeded":
        raise SystemExit(f"the run did not succeed: {report}")
    return {
        "seconds": round(seconds, 3),
        "cpu_s": round(cpu_s, 3),
        "counts": report.counts,
        "calls": report.calls,
        "extra": report.extra,
    }


def plan(services: bootstrap.Services, _: dict[str, Any]) -> dict[str, Any]:
    """Sign in for the floor and tell it what the worker would ask."""
    settings = services.settings
    community, crm = services.aurora(), services.salesforce()
    last = community.last_member_id()
    token = services.store.vault(services.community, Side.AURORA).load()
    org = crm.connection()
    assert token is not None
    readers = settings.aurora.parallel_reads
    query = MemberQueries((), settings.aurora.page_size).between(LOW, HIGH)
    return {
        "search_url": f"{settings.aurora.base_url}{settings.aurora.api_prefix}{SEARCH}",
        "community_headers": {"li-api-session-key": token.access},
        "liql": query.liql().replace(str(LOW), "LOW").replace(str(HIGH), "HIGH"),
        "ranges": [
            list(part) for part in ranges.split(1, last, readers * PARTS_PER_READER)
        ],
        "readers": readers,
        "crm_url": f"{org.instance_url}/services/data/v{org.api_version}/",
        "crm_headers": {"Authorization": f"Bearer {org.session_id}"},
        "contact_query": all_contacts(),
        "job_rows": settings.salesforce.bulk_job_rows,
    }


DOES = {"prepare": prepare, "run": run, "plan": plan}


def keep_files(folder: Path) -> None:
    """Move the jobs' files there in the order they end; the floor sends them again."""
    folder.mkdir(parents=True, exist_ok=True)

    def keep(file: csvfile.CsvFile) -> None:
        if file.path.exists():
            number = len(list(folder.iterdir()))
            shutil.move(file.path, folder / f"{number:03}-{file.path.name}")

    csvfile.CsvFile.delete = keep  # type: ignore[method-assign]  # the only way to see what a run uploads


def peak_rss_mib() -> float:
    """
    Peak of this process. Linux hands `ru_maxrss` down from the parent, so that a small
    child of a large one looks large; its own high-water mark does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        if found:
            return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
