from __future__ import annotations

from importlib.metadata import version

import pytest
from cryptography.fernet import Fernet

from worker.cli import exits
from worker.cli.exits import Exit, exit_for
from worker.errors import (
    AlreadyRunning,
    BreakerTripped,
    ConfigurationError,
    ContractBroken,
    LeaseLost,
    PermissionMissing,
    QuotaExhausted,
    RateLimited,
    RecordGone,
    RemoteUnavailable,
    TokenRefused,
)

COMMANDS = [
    "admin",
    "beat",
    "connect",
    "db",
    "demo",
    "doctor",
    "explain",
    "failures",
    "reset",
    "runs",
    "salesforce",
    "sandbox",
    "secret-key",
    "settings",
    "start",
    "status",
    "sync",
    "version",
    "worker",
]


@pytest.fixture
def database_url(sqlite_url):
    """One kind will do: nothing here is about the database."""
    return sqlite_url


def test_lists_its_commands(run):
    ended = run("--help")

    listed = [
        line.split()[0] for line in ended.out.split("Commands:")[1].splitlines()[1:]
    ]
    assert (ended.code, sorted(listed)) == (0, COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["sync"], ["sync", "members", "--fast"], ["runs", "--limit", "0"]],
)
def test_refuses_wrong_use(run, arguments):
    ended = run(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err


def test_prints_its_version(run):
    assert run("version").out == f"{version('aurora-sync')}\n"


def test_makes_a_key_that_the_settings_accept(run):
    key = run("secret-key").out.strip()

    assert Fernet(key)
    assert run("status", SYNC_SECRET_KEY=key).code == 0


def test_names_every_wrong_setting_at_once(run):
    ended = run(
        "status",
        SYNC_AURORA__BASE_URL="http://community.example",
        SYNC_SALESFORCE__CLIENT_SECRET="",
        SYNC_SECRET_KEY="short",
    )

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        (
            "error: SYNC_SECRET_KEY: give Fernet keys separated by commas; "
            "`aurora-sync secret-key` prints a new one"
        ),
        (
            "error: SYNC_AURORA__BASE_URL: http:// is accepted on loopback only; "
            "use https://"
        ),
        (
            "error: SYNC_SALESFORCE__CLIENT_SECRET: must be set for "
            "auth=client_credentials"
        ),
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["runs"],
        ["failures"],
        ["settings"],
        ["explain", "member:1"],
        ["sync", "members"],
        ["reset", "members"],
        ["doctor"],
        ["connect"],
        ["db", "upgrade"],
        ["salesforce", "deploy"],
        ["start"],
        ["worker"],
    ],
    ids=" ".join,
)
def test_every_command_refuses_wrong_settings_with_exit_code_2(run, command):
    ended = run(*command, SYNC_AURORA__COMMUNITY="")

    assert ended.code == 2
    assert ended.err.startswith("error: SYNC_AURORA__COMMUNITY: ")


def test_upgrades_the_database_as_often_as_asked(run):
    assert [run("db", "upgrade").code for _ in range(2)] == [0, 0]


def test_says_when_the_database_does_not_answer(run):
    ended = run("status", SYNC_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")

    assert ended.code == 2
    assert ended.err == (
        "error: SYNC_DATABASE_URL: the database does not answer; "
        "see `aurora-sync doctor`\n"
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError(["x"]), Exit.WRONG_USE),
        (AlreadyRunning("members", "1"), Exit.ALREADY_RUNNING),
        (LeaseLost("store", "renew"), Exit.ALREADY_RUNNING),
        (BreakerTripped("aurora", "members"), Exit.SOME_FAILED),
        (RecordGone("salesforce", "deploy"), Exit.REFUSED),
        (TokenRefused("aurora", "login"), Exit.REFUSED),
        (PermissionMissing("salesforce", "describe"), Exit.REFUSED),
        (QuotaExhausted("salesforce", "query"), Exit.REFUSED),
        (ContractBroken("aurora", "search"), Exit.REFUSED),
        (RemoteUnavailable("aurora", "search"), Exit.REFUSED),
        (RateLimited("aurora", "search"), Exit.REFUSED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_turns_each_situation_into_its_exit_code(error, code):
    assert exit_for(error) is code


def test_adds_a_cure_only_where_the_error_has_none():
    plain = TokenRefused("aurora", "login", detail="not connected")
    cured = TokenRefused("aurora", "login", detail="run aurora-sync connect")

    [line] = exits.explain(plain)
    assert line == (
        "aurora login not connected; check SYNC_AURORA__AUTH and its credentials, "
        "then run `aurora-sync connect`"
    )
    assert exits.explain(cured) == ["aurora login run aurora-sync connect"]


def test_a_process_of_its_own_leaves_with_the_same_codes(shell, store):
    store.runs.request("demo", "members", "sync", "manual")

    codes = [
        shell("version").code,
        shell("sync", "members", SYNC_SECRET_KEY="short").code,
        shell("sync", "members").code,
        shell("salesforce", "deploy", SYNC_SALESFORCE__CLIENT_SECRET="wrong").code,
    ]

    assert codes == [0, 2, 3, 4]
