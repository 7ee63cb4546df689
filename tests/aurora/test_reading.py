"""Reading members: whole records, pages by cursor, ranges, and what was visited."""

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from worker.domain.records import Member
from worker.errors import ContractBroken

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ids(pages):
    return [[member.member_id for member in page] for page in pages]


def test_reads_a_member_whole(remote):
    remote.community.register(
        id=41,
        login="ada",
        email="ada@x.example",
        first_name="Ada",
        last_name="O'Brien 🜁🎈",
        rank="Guru",
        registered_at=NOON - timedelta(days=3),
        last_visit_at=NOON,
        biography="line\nline \\ 'quoted'",
        location="St John's",
        sso_id="ext-41",
        logins=12,
        minutes_online=340,
        page_views=210,
        posts=9,
        messages_read=95,
        private_messages_sent=1,
        private_messages_received=2,
        kudos_received=7,
        accepted_solutions=3,
        c_company="Example & Sons",
    )

    pages = list(remote.client(custom_fields=("c_company",)).member_pages(1, None))

    [[member]] = pages
    assert member == Member(
        member_id=41,
        login="ada",
        email="ada@x.example",
        first_name="Ada",
        last_name="O'Brien 🜁🎈",
        deleted=False,
        banned=False,
        rank="Guru",
        registered_at=NOON - timedelta(days=3),
        last_visit_at=NOON,
        biography="line\nline \\ 'quoted'",
        location="St John's",
        sso_id="ext-41",
        avatar_url=member.avatar_url,
        profile_url="https://community.example/t5/user/viewprofilepage/user-id/41",
        rest_path="/users/41",
        logins=12,
        minutes_online=340,
        page_views=210,
        posts=9,
        messages_read=95,
        private_messages_sent=1,
        private_messages_received=2,
        kudos_received=7,
        accepted_solutions=3,
        custom=(("c_company", "Example & Sons"),),
    )
    assert member.avatar_url.startswith("https://")
    assert member.last_visit_at.tzinfo is UTC


def test_leaves_out_what_the_community_leaves_out(remote):
    remote.community.register(id=7, login="bare", email=None, last_visit_at=None)

    [[member]] = remote.client().member_pages(1, None)

    assert (member.email, member.first_name, member.last_visit_at, member.sso_id) == (
        None,
        None,
        None,
        None,
    )


def test_follows_cursors_through_small_pages(remote):
    remote.register(7)

    pages = ids(remote.client(page_size=3).member_pages(1, None))

    assert pages == [[1, 2, 3], [4, 5, 6], [7]]


def test_takes_a_short_page_for_no_end(remote):
    remote.register(5)
    remote.community.switches.change(page_size=2)

    pages = ids(remote.client(page_size=1000).member_pages(1, None))

    assert pages == [[1, 2], [3, 4], [5]]


def test_reads_a_range_inclusive_on_both_ends(remote):
    remote.register(12)

    pages = ids(remote.client(page_size=2).member_pages(9, 11))

    assert pages == [[9, 10], [11]]


def test_yields_no_page_for_an_empty_range(remote):
    remote.register(2)

    assert list(remote.client().member_pages(100, 200)) == []


def test_reads_ranges_in_parallel_without_gap_or_repeat(remote):
    remote.register(60)
    client = remote.client(page_size=4)
    found = []

    def read(low):
        for page in client.member_pages(low, low + 14):
            found.extend(member.member_id for member in page)

    threads = [Thread(target=read, args=(low,)) for low in (1, 16, 31, 46)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == list(range(1, 61))


def test_refuses_a_cursor_that_comes_twice(remote):
    remote.register(9)
    remote.community.faults.add("cursor_loop", times=None)

    with pytest.raises(ContractBroken):
        list(remote.client(page_size=2).member_pages(1, None))


def test_tells_the_highest_id_and_zero_for_none(remote):
    client = remote.client()

    before = client.last_member_id()
    remote.register(3)

    assert (before, client.last_member_id()) == (0, 3)


def test_reads_visits_back_to_the_moment_and_not_further(remote):
    for minutes in range(10):
        remote.community.register(last_visit_at=NOON - timedelta(minutes=minutes))
    remote.community.register(last_visit_at=None)

    pages = ids(remote.client(page_size=3).visited_pages(NOON - timedelta(minutes=4)))

    assert pages == [[1, 2, 3], [4, 5]]
    assert remote.community.calls.by_kind["search"] == 2


def test_takes_a_visit_at_the_very_moment_for_recent(remote):
    remote.community.register(last_visit_at=NOON)

    [[member]] = remote.client().visited_pages(NOON)

    assert member.member_id == 1


def test_reads_all_visits_when_none_is_older(remote):
    for minutes in range(5):
        remote.community.register(last_visit_at=NOON - timedelta(minutes=minutes))
    remote.register(3, last_visit_at=None)

    pages = ids(remote.client(page_size=2).visited_pages(NOON - timedelta(days=9)))

    assert pages == [[1, 2], [3, 4], [5]]


def test_reads_members_by_id_in_one_call_for_many(remote):
    remote.register(60)

    found = [m.member_id for m in remote.client().members([3, 999, 59, 3, -1])]

    assert found == [3, 59]
    assert remote.community.calls.by_kind["search"] == 1


def test_reads_members_one_by_one_where_lists_are_refused(remote):
    remote.register(4)
    remote.community.switches.change(list_search=False)

    found = [m.member_id for m in remote.client().members([4, 77, 2])]

    assert found == [4, 2]


def test_names_the_path_of_what_it_does_not_understand(remote):
    remote.register(3)
    remote.community.faults.add("unknown_shape", times=None)

    with pytest.raises(ContractBroken) as caught:
        list(remote.client().member_pages(1, None))

    assert "`$.data.items[0].login`" in str(caught.value)
