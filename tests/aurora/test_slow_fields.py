"""Roles and ratings: complete, in order, and never beyond the calls allowed."""

import pytest

from worker.aurora.client import AuroraClient
from worker.domain.records import SlowFields
from worker.errors import TokenRefused


def spent(remote):
    kinds = remote.community.calls.by_kind
    return kinds.total() - kinds["login"]


def test_reads_roles_rating_and_notes(remote):
    remote.community.register(
        id=5,
        roles=["Moderator", "Employee"],
        average_rating=0.25,
        administrative_notes="call back",
    )
    remote.community.register(id=6)

    found = list(remote.client().slow_fields([5, 6], calls=10))

    assert found == [
        SlowFields(5, ("Employee", "Moderator"), 0.25, "call back"),
        SlowFields(6, (), 0.0, None),
    ]
    assert spent(remote) == 3


@pytest.mark.parametrize(
    ("calls", "complete"),
    [(0, 0), (1, 0), (2, 1), (5, 4), (51, 50), (53, 51), (99, 60)],
)
def test_never_spends_more_than_allowed(remote, calls, complete):
    ids = remote.register(60)

    found = list(remote.client().slow_fields(ids, calls=calls))

    assert [slow.member_id for slow in found] == ids[:complete]
    assert spent(remote) <= calls


@pytest.mark.parametrize(("calls", "complete"), [(1, 0), (2, 0), (4, 1), (9, 4)])
def test_keeps_to_it_where_lists_are_refused(remote, calls, complete):
    ids = remote.register(6)
    remote.community.switches.change(list_search=False)

    found = list(remote.client().slow_fields(ids, calls=calls))

    assert [slow.member_id for slow in found] == ids[:complete]
    assert spent(remote) <= calls


def test_asks_only_once_whether_lists_are_taken(remote):
    ids = remote.register(2)
    remote.community.switches.change(list_search=False)
    client = remote.client()
    list(client.slow_fields(ids, calls=9))
    before = spent(remote)

    list(client.slow_fields(ids, calls=9))

    assert spent(remote) - before == 4


@pytest.mark.parametrize("calls", range(2, 12))
def test_counts_repeats_and_renewals_too(remote, calls):
    ids = remote.register(6)
    remote.community.switches.change(too_many_every=3)
    client = remote.client()
    client.ping()
    remote.community.calls.reset()
    remote.sandbox.sessions.expire_all()

    found = list(client.slow_fields(ids, calls=calls))

    assert [slow.member_id for slow in found] == ids[: len(found)]
    assert spent(remote) <= calls


def test_knows_nothing_more_of_a_member_that_is_gone(remote):
    ids = remote.register(2)
    remote.community.delete(ids[0], hard=True)

    found = list(remote.client().slow_fields(ids, calls=9))

    assert found == [SlowFields(1, (), None, None), SlowFields(2, (), 0.0, None)]


def test_does_without_the_rating_where_v1_takes_no_oauth_token(remote):
    ids = remote.register(3, roles=["Employee"])
    remote.connected()
    remote.community.faults.add("unauthorized", times=None, path="restapi")

    found = list(remote.client(auth="oauth").slow_fields(ids, calls=9))

    assert found == [SlowFields(n, ("Employee",), None, None) for n in ids]
    assert remote.vault.renewals == 1


def test_stops_when_the_authorisation_is_withdrawn_between_two_calls(remote):
    ids = remote.register(2)
    remote.connected()
    remote.community.faults.add("unauthorized", times=None, path="restapi")
    remote.vault.token = remote.vault.token._replace(refresh="withdrawn")

    with pytest.raises(TokenRefused):
        list(remote.client(auth="oauth").slow_fields(ids, calls=9))


def test_stops_when_v1_refuses_the_session_key(remote):
    ids = remote.register(1)
    remote.community.faults.add("unauthorized", times=None, path="users/id")

    with pytest.raises(TokenRefused):
        list(remote.client().slow_fields(ids, calls=9))


@pytest.mark.parametrize(("members", "calls"), [(0, 0), (1, 2), (50, 51), (51, 53)])
def test_tells_the_cost_beforehand(members, calls):
    assert AuroraClient.slow_calls_for(members) == calls
