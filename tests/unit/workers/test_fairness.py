"""Goal: over any time an app gets what its limits say, by the worker's share of the partitions, and never less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.apps import UNREGISTERED_PERMISSIONS, App
from workers.intake.fairness import Excess, Fairness, Limits

CHAT = App("chat", UNREGISTERED_PERMISSIONS)
OTHER = App("other", UNREGISTERED_PERMISSIONS)
GENEROUS = 1_000_000


def _rate(per_second: int, partitions: int = 4) -> Fairness:
    return Fairness(Limits(per_second, GENEROUS), partitions)


@given(
    gaps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
    per_second=st.integers(1, 20),
    owned=st.integers(1, 4),
)
def test_never_more_than_the_rate_and_one_seconds_worth(gaps: list[float], per_second: int, owned: int) -> None:
    fairness, now, admitted = _rate(per_second), 0.0, 0
    rate = per_second * owned / 4
    for gap in gaps:
        now += gap
        while fairness.admit(CHAT, owned, now) is None:
            admitted += 1
            assert admitted <= max(rate, 1) + now * rate + 1e-6


@given(per_second=st.integers(1, 50), owned=st.integers(1, 4))
def test_who_keeps_to_the_rate_is_never_refused(per_second: int, owned: int) -> None:
    fairness, rate = _rate(per_second), per_second * owned / 4
    assert [fairness.admit(CHAT, owned, number * 1.000001 / rate) for number in range(100)] == [None] * 100


def test_after_the_time_that_it_names_the_next_one_is_taken_on() -> None:
    fairness = Fairness(Limits(1, GENEROUS), partitions=4)
    assert fairness.admit(CHAT, 1, 10.0) is None
    assert fairness.admit(CHAT, 1, 10.0) == Excess("rate", 4)
    assert fairness.admit(CHAT, 1, 13.9) == Excess("rate", 1)
    assert fairness.admit(CHAT, 1, 14.0) is None


def test_one_apps_excess_is_no_others() -> None:
    fairness = _rate(1)
    assert fairness.admit(CHAT, 4, 0.0) is None
    assert fairness.admit(CHAT, 4, 0.0) is not None
    assert fairness.admit(OTHER, 4, 0.0) is None


def test_an_apps_own_limits_overrule_the_settings() -> None:
    fairness = Fairness(Limits(1, 1), partitions=1)
    app = App("chat", UNREGISTERED_PERMISSIONS, commands_per_second=3, unanswered_max=2)
    assert fairness.admit(app, 1, 0.0) is None
    assert fairness.admit(app, 1, 0.0) is None
    assert fairness.admit(app, 1, 0.0) == Excess("unanswered", 1)
    fairness.answered("chat", 2)
    assert fairness.admit(app, 1, 0.0) is None
    assert fairness.admit(app, 1, 0.0) == Excess("rate", 1)


@pytest.mark.parametrize(("owned", "room"), [(4, 8), (2, 4), (1, 2), (0, 2)])
def test_unanswered_ones_by_the_share(owned: int, room: int) -> None:
    fairness = Fairness(Limits(GENEROUS, 8), partitions=4)
    verdicts = [fairness.admit(CHAT, owned, 0.0) for _ in range(10)]
    assert verdicts == [None] * room + [Excess("unanswered", 1)] * (10 - room)
    fairness.answered("chat")
    assert fairness.admit(CHAT, owned, 0.0) is None


def test_the_refusal_says_when_to_come_again() -> None:
    error = Excess("rate", 4).error()
    assert (error.code, error.details) == ("overloaded", {"retryAfterSeconds": 4})


def test_who_is_watched_closely_saves_up_a_tenth() -> None:
    fairness = _rate(100)
    fairness.narrow(CHAT, 20.0)
    assert [fairness.admit(CHAT, 4, 10.0) for _ in range(11)].count(None) == 10
    assert [fairness.admit(CHAT, 4, 19.0) for _ in range(11)].count(None) == 10
    assert [fairness.admit(CHAT, 4, 21.0) for _ in range(101)].count(None) == 100
    assert [fairness.admit(OTHER, 4, 10.0) for _ in range(101)].count(None) == 100


@pytest.mark.parametrize(("owned", "allowed"), [(4, 100), (1, 25), (0, 25)])
def test_what_is_allowed_is_the_share_of_the_limit(owned: int, allowed: float) -> None:
    assert _rate(100).allowed(CHAT, owned) == allowed
    assert _rate(1).allowed(App("chat", UNREGISTERED_PERMISSIONS, commands_per_second=100), owned) == allowed
