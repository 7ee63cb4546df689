"""When the community misbehaves: renewals, repeats, and what is given up on."""

from datetime import timedelta

import pytest

from worker.errors import (
    ContractBroken,
    RateLimited,
    RemoteUnavailable,
    TokenRefused,
)


def ids(pages):
    return [member.member_id for page in pages for member in page]


def test_logs_in_again_when_the_session_ends_in_mid_paging(remote):
    remote.register(5)
    pages = remote.client(page_size=2).member_pages(1, None)

    found = ids([next(pages)])
    remote.sandbox.sessions.expire_all()
    found += ids(pages)

    assert found == [1, 2, 3, 4, 5]
    assert remote.vault.renewals == 2


def test_gives_up_when_a_new_key_is_refused_too(remote):
    remote.community.faults.add("unauthorized", times=None, path="search")

    with pytest.raises(TokenRefused):
        remote.client().ping()

    assert remote.vault.renewals == 2
    assert len(remote.calls) == 2


def test_uses_the_key_that_another_process_has_got(remote):
    client = remote.client()
    client.ping()
    remote.sandbox.sessions.expire_all()
    other = remote.client()
    other.ping()

    client.ping()

    assert remote.vault.renewals == 2


def test_renews_a_key_before_it_ends(remote):
    client = remote.client()
    client.ping()
    held = remote.vault.token
    ends_soon = held.expires_at - timedelta(minutes=27, seconds=30)
    remote.vault.token = held._replace(expires_at=ends_soon)

    remote.client().ping()

    assert remote.vault.renewals == 2


def test_waits_out_a_429_whose_header_says_at_once(remote):
    remote.register(1)
    remote.community.faults.add("too_many", times=2, path="search")

    found = ids(remote.client().member_pages(1, None))

    assert found == [1]
    assert remote.clock.slept == [1.0, 2.0]


def test_lengthens_the_wait_when_asked_to(remote):
    remote.community.faults.add("too_many", path="search", retry_after="5")

    remote.client().ping()

    assert remote.clock.slept == [5.0]


def test_leaves_a_long_wait_to_the_task(remote):
    remote.community.faults.add("too_many", path="search", retry_after="90")

    with pytest.raises(RateLimited) as caught:
        remote.client().ping()

    assert caught.value.retry_after == timedelta(seconds=90)
    assert remote.clock.slept == []


def test_leaves_a_storm_to_the_task(remote):
    remote.community.faults.add("too_many", times=None, path="search")

    with pytest.raises(RateLimited) as caught:
        remote.client().ping()

    assert caught.value.retry_after == timedelta(seconds=8)
    assert remote.clock.slept == [1.0, 2.0, 4.0]


def test_reads_on_through_a_429_at_every_third_call(remote):
    remote.register(9)
    remote.community.switches.change(too_many_every=3)

    found = ids(remote.client(page_size=2).member_pages(1, None))

    assert found == list(range(1, 10))


def test_repeats_a_list_search_like_any_other_read(remote):
    remote.register(2)
    remote.community.faults.add("status", status=503, body="empty", path="search")

    found = [member.member_id for member in remote.client().members([1, 2])]

    assert found == [1, 2]


@pytest.mark.parametrize(
    ("fault", "family"),
    [
        ({"kind": "status", "status": 503, "body": "empty"}, RemoteUnavailable),
        ({"kind": "status", "status": 500, "body": "html"}, RemoteUnavailable),
        ({"kind": "status", "status": 502, "body": "json"}, RemoteUnavailable),
        ({"kind": "status", "status": 504, "body": "text"}, RemoteUnavailable),
        ({"kind": "status", "status": 200, "body": "html"}, ContractBroken),
        ({"kind": "status", "status": 200, "body": "v1"}, ContractBroken),
        ({"kind": "drop_before"}, RemoteUnavailable),
        ({"kind": "drop_after"}, RemoteUnavailable),
        ({"kind": "truncated"}, RemoteUnavailable),
        ({"kind": "garbled"}, ContractBroken),
    ],
)
def test_tells_the_family_of_what_went_wrong(remote, fault, family):
    remote.community.faults.add(**fault, times=None, path="search")

    with pytest.raises(family):
        remote.client().ping()


@pytest.mark.parametrize("with_http_code", [True, False])
def test_sees_errors_that_come_with_http_200(remote, with_http_code):
    remote.register(1)
    remote.community.switches.change(
        errors_are_http_200=True, http_code_in_body=with_http_code, list_search=False
    )
    client = remote.client(page_size=1)
    remote.community.faults.add("unauthorized", path="search")

    found = [member.member_id for member in client.members([1])]

    assert found == [1]
    assert remote.vault.renewals == 2


def test_stops_on_a_query_the_community_does_not_understand(remote):
    client = remote.client(custom_fields=("c_unknown",))
    remote.register(1)

    with pytest.raises(ContractBroken) as caught:
        list(client.member_pages(1, None))

    assert "not understood" in str(caught.value)


def test_counts_every_call_that_leaves(remote):
    remote.register(5)

    list(remote.client(page_size=2).member_pages(1, None))

    assert len(remote.calls) == remote.community.calls.by_kind["search"] == 3


def test_follows_no_redirect(remote):
    remote.community.faults.add("status", status=302, body="empty", times=None)

    with pytest.raises(ContractBroken, match="check the base URL"):
        remote.client().ping()
