from __future__ import annotations

import pytest
import requests

QUERY = "SELECT id, login FROM users ORDER BY id LIMIT 2"


def fault(caller, **details):
    answer = caller.post("/_sandbox/faults", json=details)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("details", "status", "start"),
    [
        ({"status": 503, "body": "empty"}, 503, ""),
        ({"status": 500}, 500, "<html>"),
        ({"status": 502, "body": "text"}, 502, "upstream"),
        ({"status": 504, "body": "json"}, 504, '{"statusCode":504'),
        ({"status": 200, "body": "v1"}, 200, '{"response":{"status":"error"'),
    ],
)
def test_answers_a_status_as_often_as_told(caller, details, status, start):
    fault(caller, kind="status", times=2, **details)

    answers = [caller.ask(QUERY) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status, status, 200]
    assert answers[0].text.startswith(start)
    assert bool(answers[0].text) == bool(start)


def test_meets_only_calls_that_fit(caller):
    fault(caller, kind="status", status=500, path="/users/", method="GET", times=None)

    assert caller.ask(QUERY).status_code == 200
    assert caller.get("/api/2.0/users/1").status_code == 500


def test_too_many_comes_with_retry_after_zero(caller):
    fault(caller, kind="too_many", every=2, times=None)

    answers = [caller.ask(QUERY) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 429, 200, 429]
    assert answers[1].headers["Retry-After"] == "0"
    assert answers[1].json()["status"] == "error"


def test_every_nth_call_is_too_many_by_switch(caller):
    caller.post("/_sandbox/switches", json={"too_many_every": 3})

    statuses = [caller.ask(QUERY).status_code for _ in range(6)]

    assert sorted(statuses) == [200, 200, 200, 200, 429, 429]


def test_more_than_the_rate_is_too_many(caller):
    caller.sandbox.community.switches.change(requests_per_second=0.001)

    statuses = [caller.ask(QUERY).status_code for _ in range(3)]

    assert statuses == [200, 429, 429]


def test_hangs_up_before_or_after_the_deed(caller):
    login = "/restapi/vc/authentication/sessions/login"
    fields = {
        "user.login": caller.credentials["username"],
        "user.password": caller.credentials["password"],
    }
    keys = caller.sandbox.sessions.keys
    before = len(keys)

    fault(caller, kind="drop_before", path="login")
    with pytest.raises(requests.ConnectionError):
        caller.post(login, data=fields)
    undone = len(keys)
    fault(caller, kind="drop_after", path="login")
    with pytest.raises(requests.ConnectionError):
        caller.post(login, data=fields)

    assert (undone, len(keys)) == (before, before + 1)


def test_does_it_and_answers_500(caller):
    fault(caller, kind="error_after", path="logout")

    answer = caller.post("/restapi/vc/authentication/sessions/logout")

    assert answer.status_code == 500
    assert caller.sandbox.sessions.keys == {}


def test_hangs_up_in_the_middle(caller):
    caller.sandbox.community.register()
    fault(caller, kind="truncated")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        caller.ask(QUERY)


def test_answers_json_that_is_cut_off(caller):
    fault(caller, kind="garbled")

    with pytest.raises(requests.exceptions.JSONDecodeError):
        caller.ask(QUERY).json()


def test_is_unauthorized_once_or_for_ever(caller):
    fault(caller, kind="unauthorized")
    once = [caller.ask(QUERY).status_code for _ in range(2)]
    fault(caller, kind="unauthorized", times=None)

    assert once == [401, 200]
    assert [caller.ask(QUERY).status_code for _ in range(3)] == [401] * 3


def test_expires_every_session(caller):
    fault(caller, kind="expire_sessions")

    assert caller.ask(QUERY).status_code == 401
    caller.sign_in()
    assert caller.ask(QUERY).status_code == 200


def test_a_cursor_loop_gives_the_same_cursor_again(caller):
    for _ in range(9):
        caller.sandbox.community.register()
    fault(caller, kind="cursor_loop", times=None)

    first = caller.data(QUERY)["next_cursor"]
    second = caller.data(f"{QUERY} CURSOR '{first}'")["next_cursor"]

    assert first == second


def test_an_unknown_shape_stands_where_text_belongs(caller):
    caller.sandbox.community.register()
    fault(caller, kind="unknown_shape")

    [item] = caller.data(QUERY)["items"]

    assert item == {"type": "user", "id": "1", "login": [{"unexpected": True}]}


def test_slow_and_latency_delay_one_call_and_all(caller):
    fault(caller, kind="slow", ms=60)
    slow = caller.ask(QUERY).elapsed.total_seconds()
    fault(caller, kind="latency_ms", ms=40)

    delayed = caller.ask(QUERY).elapsed.total_seconds()

    assert slow >= 0.06
    assert delayed >= 0.04


def test_faults_are_cleared(caller):
    fault(caller, kind="status", status=500, times=None)
    fault(caller, kind="index_lag", seconds=60)

    caller.delete("/_sandbox/faults")

    assert caller.ask(QUERY).status_code == 200
    assert caller.sandbox.community.switches.index_lag_seconds == 0


@pytest.mark.parametrize(
    "details",
    [{"kind": "meteor"}, {"kind": "status", "color": 1}, {"kind": "slow", "path": "("}],
)
def test_an_unknown_fault_is_refused(caller, details):
    assert caller.post("/_sandbox/faults", json=details).status_code == 400


@pytest.mark.parametrize("switches", [{"x": 1}, {"in_operator": 1}, {"ht_access": 5}])
def test_an_unknown_switch_is_refused(caller, switches):
    assert caller.post("/_sandbox/switches", json=switches).status_code == 400


def test_errors_come_in_the_envelopes_of_the_switches(caller):
    switches = caller.sandbox.community.switches

    switches.change(http_code_in_body=False)
    plain = caller.ask("nonsense")
    switches.change(errors_are_http_200=True)
    in_200 = caller.ask("nonsense")
    forced = caller.get("/api/2.0/search?q=nonsense&api.always_ok=")

    error = {
        "status": "error",
        "message": "Invalid query syntax",
        "data": {
            "type": "error_data",
            "code": 604,
            "developer_message": "",
            "more_info": "",
        },
        "metadata": {},
    }
    assert (plain.status_code, plain.json()) == (400, error)
    assert (in_200.status_code, in_200.json()) == (200, error)
    assert forced.status_code == 200


def test_counts_calls_by_kind_and_its_own_pages_never(caller):
    caller.sandbox.community.calls.reset()
    caller.ask(QUERY)
    caller.ask("nonsense")
    caller.get("/restapi/vc/users/id/1")

    calls = caller.get("/_sandbox/calls").json()

    assert calls == {
        "total": 3,
        "queries": 2,
        "by_kind": {"search": 2, "v1.user": 1},
        "by_status": {"200": 2, "400": 1},
    }
