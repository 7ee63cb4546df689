from __future__ import annotations

import re
import socket

import pytest
import requests


@pytest.fixture
def database_url(sqlite_url):
    """One kind will do: nothing here is about the database."""
    return sqlite_url


@pytest.fixture
def oauth(aurora):
    """The variables of an API app that sends browsers back to this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    back = f"http://127.0.0.1:{port}/oauth/callback"
    aurora.sessions.redirect_uris[:] = [back]
    return {
        "SYNC_AURORA__AUTH": "oauth",
        "SYNC_AURORA__CLIENT_ID": aurora.sessions.client_id,
        "SYNC_AURORA__CLIENT_SECRET": aurora.sessions.client_secret,
        "SYNC_AURORA__REDIRECT_URI": back,
    }


def url_of(child):
    """Read what the command asks a person to open."""
    said = b""
    while not (found := re.search(rb"http\S+(?=\n)", said)):
        line = child.stderr.readline()
        assert line, said
        said += line
    return found[0].decode()


def test_signs_in_by_session_key(run, store):
    before = run("connect", "--status", "--json").json

    ended = run("connect", "--json")

    after = run("connect", "--status", "--json").json
    assert (ended.code, ended.json["connection"]) == (0, "active")
    assert (before["connection"], before["token"]) == ("not_active", "none")
    assert (after["connection"], after["token"]) == ("active", "valid")
    assert store.communities.get("demo").connection_status == "active"


def test_names_what_to_check_when_the_sign_in_is_refused(run, store):
    ended = run("connect", SYNC_AURORA__PASSWORD="wrong")

    assert (ended.code, ended.out) == (4, "")
    assert "SYNC_AURORA__AUTH" in ended.err
    assert store.communities.get("demo").connection_status == "not_active"


def test_is_authorised_in_a_browser(spawn, run, oauth):
    child = spawn("connect", "--json", **oauth)

    with requests.Session() as browser:
        page = browser.get(f"{url_of(child)}&approve=1", timeout=10)
    out, err = child.communicate(timeout=20)

    assert page.status_code == 200
    assert "Done." in page.text
    assert child.returncode == 0, err
    assert b'"connection": "active"' in out
    status = run("connect", "--status", "--json", **oauth).json
    assert (status["connection"], status["auth"], status["token"]) == (
        "active",
        "oauth",
        "valid",
    )


def test_takes_no_code_that_comes_with_another_state(spawn, oauth):
    child = spawn("connect", **oauth)
    url_of(child)

    with requests.Session() as stranger:
        stranger.get(
            f"{oauth['SYNC_AURORA__REDIRECT_URI']}?code=x&state=theirs", timeout=10
        )
    _, err = child.communicate(timeout=20)

    assert child.returncode == 4
    assert b"the redirect carries another state" in err


def test_tells_that_the_person_refused(spawn, oauth):
    child = spawn("connect", **oauth)
    state = re.search(r"state=([^&]+)", url_of(child))[1]

    with requests.Session() as browser:
        browser.get(
            f"{oauth['SYNC_AURORA__REDIRECT_URI']}?error=access_denied&state={state}",
            timeout=10,
        )
    _, err = child.communicate(timeout=20)

    assert child.returncode == 4
    assert b"aurora authorize accessdenied" in err


def test_gives_up_waiting_for_the_browser(run, oauth):
    ended = run("connect", "--wait", "1", **oauth)

    assert ended.code == 4
    assert ended.err.splitlines()[-1] == "error: nobody came back within 1 s"


def test_says_when_the_redirects_port_is_taken(run, oauth):
    port = int(re.search(r":(\d+)/", oauth["SYNC_AURORA__REDIRECT_URI"])[1])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()

        ended = run("connect", **oauth)

    assert ended.code == 2
    assert f"cannot listen on port {port}" in ended.err


def test_needs_a_terminal_for_a_redirect_elsewhere(run, oauth):
    oauth["SYNC_AURORA__REDIRECT_URI"] = "https://hooks.example/callback"

    ended = run("connect", **oauth)

    assert ended.code == 2
    assert "SYNC_AURORA__REDIRECT_URI is not on this machine" in ended.err
