"""
The bare floor: a loop without state or checks that reads the same pages with the same
parallelism and uploads the same bytes in as many jobs. Prints its time as JSON.

Told by its argument: where both sides are, how to be let in, the Contact query, the
LiQL, the id ranges, the folders of job files. Nothing is decoded, decided or kept.
"""

from __future__ import annotations

import json
import queue
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

NEXT_CURSOR = re.compile(rb'"next_cursor":"([^"]*)"')
# One of these stands in each member of a page.
MEMBER = b'"login":'
FIRST_POLL_S, LONGEST_POLL_S = 0.5, 10.0


class Floor:
    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.read = 0
        self._lock = threading.Lock()
        self._crm = session(plan["crm_headers"])

    def run(self) -> None:
        """The same order as the worker's, for each part needs the one before it."""
        plan = self.plan
        self.query_job(plan["contact_query"])
        files = [Path(name) for name in plan["member_files"]]
        # A job's rows are complete once its share of the members has been read.
        ready: queue.Queue[Path] = queue.Queue()
        sender = threading.Thread(target=self.send_all, args=(ready, len(files)))
        sender.start()
        waiting = list(files)
        ranges = iter(plan["ranges"])
        with ThreadPoolExecutor(plan["readers"]) as readers:
            for _ in range(plan["readers"]):
                readers.submit(self.read_ranges, ranges, waiting, ready)
        for file in waiting:
            ready.put(file)
        sender.join()
        for name in plan["contact_files"]:
            self.ingest_job(Path(name), "Contact", "update")

    def read_ranges(
        self, ranges: Any, waiting: list[Path], ready: queue.Queue[Path]
    ) -> None:
        community = session(self.plan["community_headers"])
        with community:
            while True:
                with self._lock:
                    part = next(ranges, None)
                if part is None:
                    return
                self.read_range(community, part, waiting, ready)

    def read_range(
        self,
        community: requests.Session,
        part: list[int],
        waiting: list[Path],
        ready: queue.Queue[Path],
    ) -> None:
        liql = (
            self.plan["liql"].replace("LOW", str(part[0])).replace("HIGH", str(part[1]))
        )
        cursor = None
        while True:
            text = f"{liql} CURSOR '{cursor}'" if cursor else liql
            answer = community.get(self.plan["search_url"], params={"q": text})
            body = answer.content
            with self._lock:
                self.read += body.count(MEMBER)
                if waiting and self.read >= self.plan["job_rows"] and len(waiting) > 1:
                    self.read -= self.plan["job_rows"]
                    ready.put(waiting.pop(0))
            found = NEXT_CURSOR.search(body, max(0, len(body) - 4096)) or (
                NEXT_CURSOR.search(body)
            )
            if not found or not found[1]:
                return
            cursor = found[1].decode()

    def send_all(self, ready: queue.Queue[Path], files: int) -> None:
        for _ in range(files):
            self.ingest_job(ready.get(), "Community_User__c", "upsert")

    def ingest_job(self, path: Path, object_name: str, operation: str) -> None:
        body = {
            "object": object_name,
            "operation": operation,
            "contentType": "CSV",
            "lineEnding": "CRLF",
        }
        if operation == "upsert":
            body["externalIdFieldName"] = "Community_User_Key__c"
        job = self.crm("POST", "jobs/ingest", json=body).json()["id"]
        url = f"jobs/ingest/{job}"
        with path.open("rb") as file:
            kind = {"Content-Type": "text/csv; charset=UTF-8"}
            self.crm("PUT", f"{url}/batches", data=file, headers=kind)
        self.crm("PATCH", url, json={"state": "UploadComplete"})
        ended = self.wait(url)
        if operation == "upsert":
            self.drain(f"{url}/successfulResults")
        if ended["numberRecordsFailed"]:
            self.drain(f"{url}/failedResults")

    def query_job(self, soql: str) -> None:
        body = {"operation": "query", "query": soql}
        job = self.crm("POST", "jobs/query", json=body).json()["id"]
        self.wait(f"jobs/query/{job}")
        locator = ""
        while locator != "null":
            path = f"jobs/query/{job}/results?maxRecords=100000"
            headers = self.drain(path + (f"&locator={locator}" if locator else ""))
            locator = headers.get("Sforce-Locator", "null")

    def wait(self, url: str) -> dict[str, Any]:
        pause = FIRST_POLL_S
        while (told := self.crm("GET", url).json())["state"] not in {
            "JobComplete",
            "Failed",
            "Aborted",
        }:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL_S)
        if told["state"] != "JobComplete":
            raise SystemExit(f"a job ended as {told['state']}")
        return told  # type: ignore[no-any-return]  # JSON

    def drain(self, path: str) -> Any:
        with self.crm("GET", path, stream=True) as answer:
            for _ in answer.iter_content(256 * 1024):
                pass
            return answer.headers

    def crm(self, method: str, path: str, **what: Any) -> requests.Response:
        answer = self._crm.request(method, self.plan["crm_url"] + path, **what)
        answer.raise_for_status()
        return answer

    def close(self) -> None:
        self._crm.close()


def session(headers: dict[str, str]) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.headers.update(headers)
    return made


def main() -> None:
    floor = Floor(json.loads(sys.argv[1]))
    began, cpu = time.perf_counter(), time.process_time()
    floor.run()
    told = {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_s": round(time.process_time() - cpu, 3),
    }
    floor.close()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
