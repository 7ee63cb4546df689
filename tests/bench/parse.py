"""How many members a second one core reads from the community's JSON."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import msgspec
import requests

from tests.bench import report
from worker.aurora.payloads import MemberDecoder
from worker.aurora.responses import payload

if TYPE_CHECKING:
    from tests.bench.options import Options

PAGE = 1000


def page_of_members() -> requests.Response:
    items = [
        {
            "type": "user",
            "id": str(10_000 + n),
            "login": f"member-{n}",
            "email": f"member-{n}@members.example",
            "first_name": "Zoë",
            "last_name": "Ångström-O'Brien",
            "deleted": False,
            "banned": False,
            "rank": {"type": "rank", "name": "Regular Contributor"},
            "registration_data": {
                "type": "registration_data",
                "registration_time": "2021-08-10T12:00:00.000-03:30",
            },
            "last_visit_time": "2025-03-01T09:22:00.925-02:30",
            "biography": "Writes about bridges, and now and then about birds. 🐦",
            "location": "St John's",
            "sso_id": f"ext-{n}",
            "avatar": {"type": "avatar", "profile": f"https://cdn.example/{n}.png"},
            "view_href": f"https://c.example/t5/user/viewprofilepage/user-id/{n}",
            "href": f"/users/{n}",
            "metrics": {
                "type": "user_metrics",
                "logins": 12,
                "minutes_online": 340,
                "posts": 9,
                "private_messages_received": 2,
                "private_messages_sent": 0,
                "page_views": 210,
                "messages_read": 95,
            },
            "kudos_received": {"sum": {"weight": n}},
            "solutions_authored": {"count": n % 7},
        }
        for n in range(PAGE)
    ]
    data = {"type": "users", "items": items, "next_cursor": "MjU="}
    body = {"status": "success", "message": "", "http_code": 200, "data": data}
    answer = requests.Response()
    answer.status_code = 200
    answer._content = msgspec.json.encode(body)
    return answer


def run(options: Options) -> None:
    del options
    decoder = MemberDecoder("https://c.example")
    page = page_of_members()
    best = 0.0
    for _ in range(20):
        gc.collect()
        start = time.process_time()
        for _ in range(5):
            decoder.page(payload(page, "search users"), "search users")
        best = max(best, 5 * PAGE / (time.process_time() - start))
    print(f"\nparse and build: {best:,.0f} members/s on one core")
    report.keep("parse", {"members_per_cpu_s": round(best)})
