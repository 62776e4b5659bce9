"""Goal: only who is refused far more than its app may send is looked into, and only beside a backlog it is paused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.intake.flooding import (
    AGAIN,
    AT_FIRST,
    BACKLOG_RISKY,
    BACKLOG_RISKY_AGAIN,
    LATELY_SECONDS,
    REFUSALS_PER_SECOND_MIN,
    Floods,
)

LOGIN, OTHER = "chat.k3f9x0a2b7c1", "other.k3f9x0a2b7c1"


def _until_suspected(floods: Floods, per_second: float, allowed: float, begins: float, most: int = 100_000) -> int:
    """After how many refusals at this rate the login is looked into; 0 where it never is."""
    numbers = range(1, most + 1)
    return next((n for n in numbers if floods.refused(LOGIN, allowed, begins + n / per_second)), 0)


def test_a_flood_at_full_speed_is_looked_into_within_a_sixth_of_a_second() -> None:
    assert 0 < _until_suspected(Floods(), 4_000, 500, 10.0) / 4_000 < 1 / 6


@given(allowed=st.floats(0, 20_000), share=st.floats(0.01, 0.99))
def test_who_is_refused_less_than_it_may_send_never_is(allowed: float, share: float) -> None:
    per_second = share * max(allowed, REFUSALS_PER_SECOND_MIN)
    assert _until_suspected(Floods(), per_second, allowed, 10.0, most=3 * AT_FIRST) == 0


def test_a_high_limit_is_exceeded_by_far_only_by_as_much_again() -> None:
    assert _until_suspected(Floods(), 9_000, 10_000, 10.0, most=20_000) == 0
    assert _until_suspected(Floods(), 12_000, 10_000, 10.0, most=20_000) > 0


def test_one_logins_refusals_are_no_others() -> None:
    floods = Floods()
    for number in range(AT_FIRST - 1):
        assert not floods.refused(LOGIN, 0, 10.0)
        assert not floods.refused(OTHER, 0, 10.0), number
    assert floods.refused(LOGIN, 0, 10.0)


def test_who_was_looked_into_in_vain_is_looked_into_again_after_as_many() -> None:
    floods = Floods()
    assert [floods.refused(LOGIN, 0, 10.0) for _ in range(3 * AT_FIRST)].count(True) == 3


@pytest.mark.parametrize(("waiting", "risky"), [(0, False), (BACKLOG_RISKY - 1, False), (BACKLOG_RISKY, True)])
def test_only_a_backlog_makes_it_dangerous(waiting: int, risky: bool) -> None:
    assert Floods().endangers(LOGIN, waiting, 10.0) is risky


def test_during_the_pause_nothing_is_counted() -> None:
    floods = Floods()
    floods.paused(LOGIN, 15.0)
    assert not any(floods.refused(LOGIN, 0, 14.9) for _ in range(10 * AT_FIRST))
    assert [floods.refused(LOGIN, 0, 15.0) for _ in range(AGAIN)] == [False] * (AGAIN - 1) + [True]


@pytest.mark.parametrize(
    ("after", "refusals", "risky"),
    [
        (0.0, AGAIN, BACKLOG_RISKY_AGAIN),
        (LATELY_SECONDS - 0.1, AGAIN, BACKLOG_RISKY_AGAIN),
        (LATELY_SECONDS, AT_FIRST, BACKLOG_RISKY),
    ],
)
def test_for_a_minute_it_is_watched_closely(after: float, refusals: int, risky: int) -> None:
    floods, now = Floods(), 15.0 + after
    floods.paused(LOGIN, 15.0)
    assert [floods.refused(LOGIN, 0, now) for _ in range(refusals)] == [False] * (refusals - 1) + [True]
    assert [floods.endangers(LOGIN, waiting, now) for waiting in (risky - 1, risky)] == [False, True]
    assert not floods.endangers(OTHER, BACKLOG_RISKY - 1, now)
