"""A session that ends in the middle: renewed once, the same request repeated once."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from freezegun import freeze_time

from worker.domain.tokens import Token
from worker.errors import RemoteUnavailable, TokenRefused
from worker.salesforce.auth import SessionSource

LIMITS = {"DailyApiRequests": {"Max": 100, "Remaining": 58}}
SAVED = [{"id": "003000000000001AAA", "success": True, "errors": [], "created": True}]


def told(seen, *names):
    """What of a request must be the same in its repeat."""
    return (
        seen.method,
        seen.path,
        seen.query,
        seen.body,
        *map(seen.headers.get, names),
    )


def test_repeats_a_read_with_the_new_session(script, scripted, expired):
    script.say(401, expired)
    script.say(200, LIMITS)

    usage = scripted.limits()

    assert usage == (42, 100)
    sessions = [seen.headers["authorization"] for seen in script.seen]
    assert sessions == ["Bearer session-1", "Bearer session-2"]
    assert told(script.seen[0]) == told(script.seen[1])


def test_repeats_a_write_with_all_its_headers(script, scripted, expired):
    script.say(401, expired)
    script.say(200, SAVED)

    scripted.upsert("Contact", "Key__c", [{"Key__c": "acme:1", "LastName": "Byron"}])

    first, second = script.seen
    names = (
        "sforce-auto-assign",
        "sforce-duplicate-rule-header",
        "sforce-call-options",
        "content-type",
    )
    assert told(first, *names) == told(second, *names)
    assert second.headers["sforce-auto-assign"] == "FALSE"
    assert second.headers["sforce-duplicate-rule-header"].startswith("allowSave=true")
    assert second.headers["sforce-call-options"] == "client=aurora-sync"


def test_repeats_an_upload_with_the_whole_file(script, scripted, expired, tmp_path):
    content = b"Key__c,Name\r\n" + b"acme:1,Ada\r\n" * 5000
    (tmp_path / "job.csv").write_bytes(content)
    script.say(401, expired)
    script.say(201)

    scripted.ingest.upload("750000000000001AAA", tmp_path / "job.csv")

    assert [seen.body for seen in script.seen] == [content, content]
    lengths = [seen.headers["content-length"] for seen in script.seen]
    assert lengths == [str(len(content))] * 2
    assert script.seen[1].headers["content-type"] == "text/csv; charset=UTF-8"


def test_uploads_an_open_file_too(script, scripted):
    script.say(201)

    scripted.ingest.upload("750000000000001AAA", io.BytesIO(b"Key__c\r\nacme:1\r\n"))

    assert script.seen[0].body == b"Key__c\r\nacme:1\r\n"


def test_gives_up_after_one_renewal(script, scripted, expired):
    script.say(401, expired)
    script.say(401, expired)

    with pytest.raises(TokenRefused) as caught:
        scripted.limits()

    assert (caught.value.status, caught.value.code) == (401, "INVALID_SESSION_ID")
    assert (len(script.seen), scripted.vault.renewals) == (2, 1)


def test_renews_on_a_401_without_json(script, scripted):
    script.say(401, b"<html>Session gone</html>")
    script.say(200, LIMITS)

    scripted.ping()

    assert scripted.vault.renewals == 1


def test_passes_on_what_the_login_says(script, scripted, expired, monkeypatch):
    refused = TokenRefused("salesforce", "login jwt", code="invalid_grant")

    def login(_stored):
        raise refused

    monkeypatch.setattr(scripted._wire._source, "_login", login)
    script.say(401, expired)

    with pytest.raises(TokenRefused) as caught:
        scripted.limits()

    assert caught.value is refused
    assert scripted.vault.load().generation == 1


def test_threads_share_one_renewal(script, scripted, expired):
    both = threading.Barrier(2)
    known = "Bearer session-2"
    script.rule = lambda seen: (
        (200, LIMITS) if seen.headers["authorization"] == known else (401, expired)
    )

    def ask():
        both.wait(timeout=5)
        return scripted.limits()

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(2)]]

    assert answers == [(42, 100)] * 2
    assert scripted.vault.renewals == 1


def test_renews_before_a_call_when_the_session_has_run_out(script, scripted):
    moment = datetime(2026, 11, 22, 10, tzinfo=UTC)
    scripted.vault.token = scripted.vault.token._replace(expires_at=moment)
    script.say(200, LIMITS)

    with freeze_time(moment + timedelta(minutes=1)):
        scripted.ping()

    assert [seen.headers["authorization"] for seen in script.seen] == [
        "Bearer session-2"
    ]


def test_logs_in_when_the_vault_is_empty(script, scripted):
    scripted.vault.token = None
    script.say(200, LIMITS)

    scripted.ping()

    assert scripted.logins == [None]
    assert scripted.vault.load().generation == 1


def test_uses_what_another_process_has_renewed(script, scripted, expired):
    script.say(200, LIMITS)
    scripted.ping()
    scripted.vault.token = Token(
        "session-of-another", generation=2, instance_url=script.base_url
    )
    script.say(401, expired)
    script.say(200, LIMITS)

    scripted.ping()

    assert scripted.logins == []
    assert script.seen[-1].headers["authorization"] == "Bearer session-of-another"


def test_never_sends_a_session_to_the_host_the_org_has_left(script, scripted, expired):
    moved = Token("session-9", generation=9, instance_url="https://new.org.example")
    source = SessionSource(scripted.vault, lambda _stored: moved)
    scripted._wire._source = source
    script.say(401, expired)

    with pytest.raises(RemoteUnavailable, match="moved to another host"):
        scripted.ping()

    assert [seen.headers["authorization"] for seen in script.seen] == [
        "Bearer session-1"
    ]


def test_opens_one_session_per_thread_and_closes_all(script, scripted):
    for _ in range(3):
        script.say(200, LIMITS)
    threads = threading.Barrier(2)

    def ask():
        scripted.ping()
        threads.wait(timeout=5)

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(ask) for _ in range(2)]:
            future.result()
        opened = list(scripted._wire._sessions)
        scripted.close()

    assert len(opened) == 2
    assert list(scripted._wire._sessions) == []
    scripted.ping()


def test_hands_out_the_session_without_printing_it(script, scripted):
    connection = scripted.connection()

    assert tuple(connection) == (script.base_url, "session-1", "62.0")
    assert "session-1" not in repr(connection)
