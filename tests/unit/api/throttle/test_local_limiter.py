"""Counters in one process: all charges or none, bounded, and never no limit."""

from __future__ import annotations

import pytest

from api.errors import Unavailable
from api.throttle.limiter import Verdict
from api.throttle.local_limiter import LocalLimiter
from tests.unit.api.throttle.subjects import NAMES, StandingClock, five, guess, two


async def test_all_charges_are_taken_or_none() -> None:
    clock = StandingClock()
    limiter = LocalLimiter(NAMES, clock=clock)
    assert (await limiter.take(five(), two())).remaining == 1
    assert (await limiter.take(five(), two())).remaining == 0
    assert await limiter.take(five(), two()) == Verdict(False, "login_network", 2, 10, 0, 5, 5)
    # The refused request took none of the five.
    assert (await limiter.take(five())).remaining == 2
    clock.move(5)
    assert (await limiter.take(five(), two())).allowed


async def test_the_longest_wait_is_told() -> None:
    limiter = LocalLimiter(NAMES, clock=StandingClock())
    for _ in range(5):
        await limiter.take(five())
    for _ in range(2):
        await limiter.take(two())
    assert (await limiter.take(two(), five())).retry_after == 10


async def test_subjects_and_classes_are_counted_apart() -> None:
    limiter = LocalLimiter(NAMES, clock=StandingClock())
    for _ in range(5):
        await limiter.take(five())
    assert not (await limiter.take(five())).allowed
    assert (await limiter.take(five(b"192.0.2.2"))).allowed
    assert (await limiter.take(two(b"192.0.2.1"))).allowed


async def test_what_is_given_back_or_forgotten_can_be_taken_again() -> None:
    limiter = LocalLimiter(NAMES, clock=StandingClock())
    for _ in range(5):
        await limiter.take(five())
    await limiter.give_back(five())
    assert [(await limiter.take(five())).allowed for _ in range(2)] == [True, False]
    await limiter.forget(five())
    assert (await limiter.take(five())).remaining == 4


async def test_a_closed_account_is_not_told_to_be_closed() -> None:
    """[31]: not by the time either."""
    clock = StandingClock()
    limiter = LocalLimiter(NAMES, clock=clock)
    for _ in range(100):
        while not (verdict := await limiter.take(guess())).allowed:
            clock.move(verdict.retry_after)
    verdict = await limiter.take(guess())
    assert (verdict.allowed, verdict.reset, verdict.retry_after) == (False, 900, 900)


async def test_a_flood_of_subjects_is_refused_where_there_is_no_room() -> None:
    """[32]: a new one cannot be counted, so it is not let through; those that are counted are served."""
    clock = StandingClock()
    limiter = LocalLimiter(NAMES, size=10, clock=clock)
    for number in range(10):
        assert (await limiter.take(five(str(number).encode()))).allowed
    with pytest.raises(Unavailable):
        await limiter.take(five(b"new"))
    assert (await limiter.take(five(b"0"))).allowed
    clock.move(11)
    assert (await limiter.take(five(b"new"))).allowed


async def test_days_without_a_guess_are_forgiven() -> None:
    clock = StandingClock()
    limiter = LocalLimiter(NAMES, clock=clock)
    for _ in range(9):
        await limiter.take(guess())
    clock.move(24 * 3_600 + 1)
    assert (await limiter.take(guess())).remaining == 9
