"""Guesses at an account: reserved before they are looked at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from api.errors import Refusal
from api.throttle.attempts import Attempts
from api.throttle.classes import LimitClass
from api.throttle.local_limiter import LocalLimiter
from api.throttle.metrics import LimitMetrics
from api.throttle.pressure import Pressure
from tests.unit.api.throttle.subjects import NAMES, StandingClock

ADA, PHONE, USER = b"ada@example.com", b"p" * 32, UUID(int=7)


async def _refused(attempts: Attempts, account: bytes, device: bytes | None, address: str | None = None) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await attempts.reserve(account, device, address)
    assert refused.value.error.code == "rate_limited"
    return refused.value


async def test_guesses_side_by_side_share_no_place() -> None:
    """[29]."""
    attempts = Attempts(LocalLimiter(NAMES, clock=StandingClock()))
    outcomes = await asyncio.gather(*(attempts.reserve(ADA, None) for _ in range(100)), return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 10


async def test_a_stranger_does_not_lock_out_a_device_that_is_known() -> None:
    """[31]: nor does the device's success give the stranger anything."""
    attempts = Attempts(LocalLimiter(NAMES, clock=StandingClock()))
    for _ in range(10):
        await attempts.reserve(ADA, None)
    refusal = await _refused(attempts, ADA, None)
    assert "lock" not in refusal.error.message
    await (await attempts.reserve(ADA, PHONE)).succeeded()
    await _refused(attempts, ADA, None)
    assert await attempts.reserve(b"bob@example.com", None)


async def test_a_right_guess_begins_its_counter_anew() -> None:
    """[30]."""
    attempts = Attempts(LocalLimiter(NAMES, clock=StandingClock()))
    for _ in range(9):
        await attempts.reserve(ADA, None)
    await (await attempts.reserve(ADA, None)).succeeded()
    for _ in range(10):
        await attempts.reserve(ADA, None)
    await _refused(attempts, ADA, None)
    await attempts.forget(ADA, PHONE)
    await _refused(attempts, ADA, None)
    await attempts.forget(ADA)
    assert await attempts.reserve(ADA, None)


async def test_a_guess_that_nobody_looked_at_counts_for_nothing() -> None:
    attempts = Attempts(LocalLimiter(NAMES, clock=StandingClock()))
    for _ in range(30):
        await (await attempts.reserve(ADA, None)).returned()
    for _ in range(10):
        await attempts.reserve(ADA, None)
    await _refused(attempts, ADA, None)


async def test_guesses_of_who_holds_a_session_are_counted_by_user() -> None:
    attempts = Attempts(LocalLimiter(NAMES, clock=StandingClock()))
    for _ in range(10):
        await attempts.reserve_as_user(USER)
    with pytest.raises(Refusal):
        await attempts.reserve_as_user(USER)
    assert await attempts.reserve_as_user(UUID(int=8))


class _Pressed:
    """Attempts of which three failures in 30 s are pressure, and an address then has one; and what was announced."""

    def __init__(self) -> None:
        self.announced, self.now = 0, 0.0
        limiter, metrics = LocalLimiter(NAMES, clock=StandingClock()), LimitMetrics(CollectorRegistry())
        failures = LimitClass("failed_logins", 3, timedelta(seconds=30))
        self.pressure = Pressure(limiter, failures, metrics, self._announce, lambda: self.now)
        pressed = LimitClass("login_under_pressure", 1, timedelta(minutes=15))
        self.attempts = Attempts(limiter, self.pressure, pressed)

    async def _announce(self) -> None:
        self.announced += 1


async def test_under_pressure_strangers_have_less_and_known_devices_as_much() -> None:
    """[30]: one guess each at many accounts."""
    pressed = _Pressed()
    for number in range(4):
        await pressed.attempts.reserve(b"%d@example.com" % number, None, "192.0.2.1")
    assert pressed.announced == 1
    await _refused(pressed.attempts, b"9@example.com", None, "192.0.2.1")
    assert await pressed.attempts.reserve(b"9@example.com", None, "192.0.2.2")
    assert await pressed.attempts.reserve(ADA, PHONE, "192.0.2.1")
    # What is refused under pressure takes nothing of it away.
    for _ in range(10):
        await _refused(pressed.attempts, b"9@example.com", None, "192.0.2.1")
    pressed.now += 59
    assert pressed.pressure.is_on()
    await _refused(pressed.attempts, b"9@example.com", None, "192.0.2.1")
    pressed.now += 59
    assert pressed.pressure.is_on()
    pressed.now += 2
    assert not pressed.pressure.is_on()


async def test_sign_ins_that_succeed_make_no_pressure() -> None:
    pressed = _Pressed()
    for number in range(50):
        await (await pressed.attempts.reserve(b"%d@example.com" % number, None, "192.0.2.1")).succeeded()
    assert (pressed.announced, pressed.pressure.is_on()) == (0, False)
