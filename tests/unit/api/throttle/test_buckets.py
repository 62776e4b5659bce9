"""What one counter lets through, by any order of requests and times."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.throttle import buckets
from api.throttle.buckets import RateRule
from api.throttle.classes import ACCOUNT, LimitClass

START = 1_800_000_000_000_000
SECOND = 1_000_000
MOMENTS = st.lists(st.integers(0, 200 * SECOND), min_size=1, max_size=60).map(sorted)


def _taken(rule: buckets.Rule, moments: list[int]) -> list[int]:
    """The moments at which it was taken."""
    value, taken = None, list[int]()
    for moment in moments:
        move = buckets.take(rule, value, START + moment)
        if move.over <= 0:
            value, taken = move.value, [*taken, moment]
    return taken


@given(MOMENTS, st.integers(1, 10), st.integers(1, 20 * SECOND))
def test_a_rate_lets_through_its_burst_and_one_more_each_interval(
    moments: list[int], burst: int, interval: int
) -> None:
    taken = _taken(RateRule(interval, burst), moments)
    assert taken[0] == moments[0]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) // interval


@given(MOMENTS, st.integers(1, 10), st.integers(1, 20 * SECOND))
def test_a_refused_request_may_come_when_it_is_told(moments: list[int], burst: int, interval: int) -> None:
    """Not a microsecond before, and then surely."""
    rule, value = RateRule(interval, burst), None
    for moment in moments:
        move = buckets.take(rule, value, START + moment)
        if move.over > 0:
            assert buckets.take(rule, value, START + moment + move.over - 1).over > 0
            assert buckets.take(rule, value, START + moment + move.over).over <= 0
        else:
            value = move.value


@given(MOMENTS, st.integers(1, 10))
def test_what_is_told_to_remain_can_be_taken(moments: list[int], burst: int) -> None:
    rule, value = RateRule(10 * SECOND, burst), None
    for moment in moments:
        move = buckets.take(rule, value, START + moment)
        if move.over <= 0:
            value = move.value
            assert len(_taken_at_once(rule, value, START + moment)) == move.remaining


def _taken_at_once(rule: buckets.Rule, value: str, now: int) -> list[str]:
    taken = list[str]()
    while (move := buckets.take(rule, value, now)).over <= 0:
        value = move.value
        taken.append(value)
    return taken


@given(st.integers(1, 8), st.integers(0, 50 * SECOND))
def test_what_is_given_back_was_never_taken(count: int, later: int) -> None:
    rule = RateRule(10 * SECOND, 10)
    value = None
    for _ in range(count):
        value = buckets.take(rule, value, START).value
    more = buckets.take(rule, value, START + later).value
    back = buckets.give_back(rule, more, START + later)
    before, now = int(str(value)), START + later
    assert back == ((str(before), before - now) if before > now else None)


def test_the_defaults_of_an_account() -> None:
    """Ten guesses at once, then 30 s, 1 min, … 15 min between them, and none at all after a hundred."""
    rule, value, now, waited = buckets.rule_of(ACCOUNT), None, START, list[int]()
    for _ in range(100):
        move = buckets.take(rule, value, now)
        if move.over > 0:
            waited.append(move.over // SECOND)
            now += move.over
            move = buckets.take(rule, value, now)
        assert move.over <= 0
        value = move.value
    assert waited[:6] == [30, 60, 120, 240, 480, 900]
    assert waited[6:] == [900] * 84
    closed = timedelta(microseconds=buckets.take(rule, value, now).over)
    assert closed == timedelta(days=30)


def test_a_guess_that_was_given_back_leaves_no_wait() -> None:
    rule, value = buckets.rule_of(ACCOUNT), None
    for _ in range(10):
        value = buckets.take(rule, value, START).value
    assert buckets.take(rule, value, START).over > 0
    back = buckets.give_back(rule, value, START)
    assert back is not None
    assert buckets.take(rule, back[0], START).over <= 0
    assert buckets.give_back(rule, "1:0", START) is None


def test_the_finest_rate_is_a_microsecond() -> None:
    assert buckets.rule_of(LimitClass("general", 1_000_000, timedelta(seconds=1))) == RateRule(1, 1_000_000)
