"""Passwords are hashed in so many threads and no more, with equal work for everybody (SECURITY.md 21, 33)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator

import argon2
import pytest

from api.auth import hashing
from api.auth.hashing import Hasher
from api.errors import Unavailable

PASSWORD = "correct horse battery staple"
THREADS = 2
WHO = b"ada@example.com"


@pytest.fixture
async def hasher() -> AsyncGenerator[Hasher]:
    made = Hasher(THREADS)
    yield made
    made.close()


async def test_unknown_wrong_and_right_cost_one_hash_each(hasher: Hasher) -> None:
    """[21]: a hash that is none, or is not to be computed, too."""
    stored = await hasher.hash(PASSWORD)
    hostile = "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    for presented, kept, fits in (
        (PASSWORD, stored, True),
        ("wrong", stored, False),
        (PASSWORD, None, False),
        (PASSWORD, hostile, False),
        (PASSWORD, "nonsense", False),
    ):
        before = hasher.started
        assert await hasher.verify(presented, kept, WHO) is fits
        assert hasher.started - before == 1


async def test_what_waited_too_long_is_not_begun_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """[33]: imported hashes may take a second each, so it is not enough to count who waits."""
    now, go_on, begun = 0.0, threading.Event(), list[str]()

    def slow(_self: argon2.PasswordHasher, _stored: str, password: str) -> bool:
        begun.append(password)
        return go_on.wait(60)

    hasher = Hasher(1, clock=lambda: now)
    stored = await hasher.hash(PASSWORD)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    first, late = [asyncio.create_task(hasher.verify(name, stored, WHO)) for name in ("first", "late")]
    while not begun:
        await asyncio.sleep(0.01)
    now = hashing.WAIT_SECONDS_MAX + 1
    in_time = asyncio.create_task(hasher.verify("in time", stored, WHO))
    await asyncio.sleep(0)
    go_on.set()
    assert await first
    with pytest.raises(Unavailable):
        await late
    assert await in_time
    assert begun == ["first", "in time"]
    hasher.close()


@pytest.mark.parametrize("parameters", ["m=4194304,t=2,p=1", "m=19456,t=4294967295,p=1", "m=19456,t=2,p=16777215"])
async def test_a_hash_that_would_take_everything_never_reaches_the_library(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch, parameters: str
) -> None:
    """[36]: it is refused by what it says of itself, before any memory is taken for it."""
    computed = list[str]()
    real = argon2.PasswordHasher.verify

    def noted(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        computed.append(stored)
        return real(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    hostile = f"$argon2id$v=19${parameters}$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    assert await hasher.verify(PASSWORD, hostile, WHO) is False
    assert len(computed) == 1, "one hash, of another that costs what ours do"
    assert parameters not in computed[0]


async def test_parameters_are_the_agreed_ones(hasher: Hasher) -> None:
    stored = await hasher.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not hasher.is_outdated(stored)


async def test_a_flood_is_refused_and_cancelled_requests_free_no_thread(
    hasher: Hasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[33]: what runs is counted where it runs, in the threads."""
    running, peak, lock = 0, 0, threading.Lock()
    real = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, stored: str, password: str) -> bool:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        try:
            return real(self, stored, password)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    stored = await hasher.hash(PASSWORD)
    tasks = [asyncio.create_task(hasher.verify(PASSWORD, stored, WHO)) for _ in range(200)]
    await asyncio.sleep(0.05)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, Unavailable) for result in results) >= 200 - THREADS - hashing.WAITING_MAX - 100
    assert results.count(True) >= 1
    assert peak <= THREADS
    assert await hasher.verify(PASSWORD, stored, WHO)


async def test_what_waits_and_what_was_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, hasher = threading.Event(), Hasher(1)
    stored = await hasher.hash(PASSWORD)

    def slow(_self: argon2.PasswordHasher, _stored: str, _password: str) -> bool:
        return go_on.wait(60)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    waiting = [asyncio.create_task(hasher.verify("x", stored, WHO)) for _ in range(hashing.WAITING_MAX + 2)]
    await asyncio.sleep(0)
    assert (hasher.waiting, hasher.refused) == (hashing.WAITING_MAX, 1)
    go_on.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers].count(Unavailable) == 1
    await asyncio.sleep(0)
    assert hasher.waiting == 0
    hasher.close()
