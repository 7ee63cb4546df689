"""The pace: bursts, averages, pauses, and slowing down for a while."""

from threading import Thread

import pytest

from worker.aurora.pace import Pace


@pytest.fixture
def pace_of(standing_clock):
    def make(per_second):
        return Pace(
            per_second,
            monotonic=standing_clock.monotonic,
            sleep=standing_clock.sleep,
        )

    return make


def test_lets_a_second_s_worth_through_at_once(pace_of, standing_clock):
    pace = pace_of(4)

    for _ in range(4):
        pace.wait()

    assert standing_clock.slept == []


def test_keeps_to_the_rate_after_that(pace_of, standing_clock):
    pace = pace_of(4)

    for _ in range(14):
        pace.wait()

    assert standing_clock.now == pytest.approx(2.5)


def test_takes_less_than_one_call_a_second(pace_of, standing_clock):
    pace = pace_of(0.5)

    for _ in range(3):
        pace.wait()

    assert standing_clock.now == pytest.approx(4)


def test_saves_no_more_than_a_second_s_worth(pace_of, standing_clock):
    pace = pace_of(2)
    pace.wait()
    standing_clock.now += 100

    for _ in range(4):
        pace.wait()

    assert standing_clock.now == pytest.approx(101)


def test_holds_everybody_for_the_pause_and_halves_the_rate(pace_of, standing_clock):
    pace = pace_of(8)

    pace.slow_down(2)
    for _ in range(5):
        pace.wait()

    assert standing_clock.now == pytest.approx(3)
    assert pace.per_second == 4


def test_halves_once_for_calls_that_failed_together(pace_of):
    pace = pace_of(8)

    for _ in range(4):
        pace.slow_down(1)

    assert pace.per_second == 4


def test_never_slows_to_a_standstill(pace_of, standing_clock):
    pace = pace_of(16)

    for _ in range(50):
        pace.slow_down(1)
        standing_clock.now += 2

    assert pace.per_second == 1


def test_recovers_slowly_and_not_beyond_its_rate(pace_of):
    pace = pace_of(8)
    pace.slow_down(1)

    pace.recover()
    after_one = pace.per_second
    for _ in range(100):
        pace.recover()

    assert (after_one, pace.per_second) == (pytest.approx(4.08), 8)


def test_gives_every_thread_a_turn_of_its_own():
    delays = []
    pace = Pace(10, monotonic=lambda: 0.0, sleep=delays.append)
    threads = [Thread(target=pace.wait) for _ in range(15)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(round(delay, 2) for delay in delays) == [0.1, 0.2, 0.3, 0.4, 0.5]
