"""An invented community, read whole and in parallel, is the one that was invented."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.aurora import auth
from worker.aurora.client import AuroraClient
from worker.aurora.pace import Pace
from worker.sandbox.aurora import AuroraSandbox
from worker.sandbox.server import run_in_thread

THREADS = 4


@pytest.fixture
def served(remote_of):
    sandbox = AuroraSandbox(seed=7, members=1500, page_size=100)
    with run_in_thread(sandbox.app) as base_url:
        remote = remote_of(sandbox, base_url)
        yield remote
        remote.close()


def ranges(last):
    width = -(-last // THREADS)
    return [(low, low + width - 1) for low in range(1, last + 1, width)]


def seen(member):
    return (
        member.login,
        member.email,
        member.first_name,
        member.last_name,
        member.biography,
        member.deleted,
        member.posts,
        member.kudos_received,
        dict(member.custom),
    )


def invented(member):
    return (
        member.login,
        member.email,
        member.first_name,
        member.last_name,
        member.biography,
        member.deleted,
        member.posts,
        member.kudos_received,
        dict(member.custom or {}),
    )


def test_reads_every_member_as_it_is(served):
    client = served.client(custom_fields=("c_company", "c_timezone"))

    def read(bounds):
        return [member for page in client.member_pages(*bounds) for member in page]

    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(read, ranges(client.last_member_id())))

    found = {member.member_id: seen(member) for part in parts for member in part}
    truth = served.community.members
    assert found == {number: invented(truth[number]) for number in truth}
    assert sum(map(len, parts)) == 1500


def test_logs_in_once_for_all_threads_when_the_key_ends(served):
    client = served.client()
    last = client.last_member_id()
    served.sandbox.sessions.expire_all()

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(
            pool.map(
                lambda bounds: sum(map(len, client.member_pages(*bounds))), ranges(last)
            )
        )

    assert sum(found) == 1500
    assert served.vault.renewals == 2


def test_counts_and_paces_all_threads_together(served):
    settings = served.settings(requests_per_second=5)
    calls = []
    waits = []
    pace = Pace(5, monotonic=lambda: 0.0, sleep=waits.append)
    client = AuroraClient(
        served.vault,
        auth.session_login(settings),
        settings,
        on_call=lambda: calls.append(1),
        pace=pace,
    )

    with client, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: client.ping(), range(25)))

    assert len(calls) == 25
    assert max(waits) == pytest.approx(4)


def test_tells_the_community_s_clock(served):
    client = served.client()
    before = client.server_time

    client.ping()

    assert before is None
    assert client.server_time.utcoffset().total_seconds() == 0
