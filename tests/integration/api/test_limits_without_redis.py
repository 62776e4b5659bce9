"""S37, and SECURITY.md 32: whatever becomes of Redis, limits hold and answers come soon; credits are read and spent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from ops import ports
from ops.instance import Instance
from tests.faults.tools.proxy import Proxy
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.limited import coming_from, guess, hashes, limited_front, measured, waits
from tests.integration.api.process import Process
from tests.integration.api.users import BASE, SignedIn, assert_problem, new_email

READ = f"{BASE}/credits/transactions"
USE = {"amount": 1, "appId": "chat", "description": "d"}


@asynccontextmanager
async def _spoiled(proxy: Proxy, redis: Redis, fault: str) -> AsyncGenerator[None]:
    """Redis, as the front sees it, while the block runs."""
    match fault:
        case "killed":
            await proxy.refuse()
        case "frozen":
            proxy.freeze()
        case "slow":
            proxy.delay(2.0)
        case "silent":
            await proxy.blackhole()
        case "full":
            await redis.config_set("maxmemory", "1")
        case _:
            await redis.flushall()
    try:
        yield
    finally:
        await proxy.restore()
        await redis.config_set("maxmemory", "0")


@pytest.fixture(scope="module")
async def proxied(servers: Instance, logs: Path) -> AsyncGenerator[tuple[Proxy, Process, Redis]]:
    """A front whose Redis can be spoiled."""
    address = servers.addresses.redis
    async with (
        Proxy.before(address) as proxy,
        Redis.from_url(address) as redis,
        limited_front(servers, logs, REDIS_URL=proxy.url(address)) as process,
    ):
        yield proxy, process, redis


async def _counts_alone(process: Process) -> bool:
    return await measured(process, "mana_limits_counted_alone") == 1


async def _undisturbed(process: Process, play: Callable[[int], Awaitable[None]]) -> None:
    """For what holds exactly where all is counted in one place: played again, by another number, where somebody waited
    for Redis in vain meanwhile. Whatever else is wrong is raised at once."""
    for number in range(10):
        before = await waits(process)
        try:
            await play(number)
        except AssertionError:
            if await waits(process) == before:
                raise
        else:
            return
    raise AssertionError("this machine is too busy for Redis to be in time")


async def _until_redis_is_found(process: Process, http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while await _counts_alone(process):
            await http.get(f"{BASE}/auth/jwks")
            await asyncio.sleep(0.1)


@pytest.mark.checklist(32)
@pytest.mark.parametrize("fault", ["killed", "frozen", "slow", "silent", "full"])
async def test_limits_hold_without_redis(
    proxied: tuple[Proxy, Process, Redis], user: SignedIn, ledger: ScriptedLedger, fault: str
) -> None:
    """Guesses are counted in the process; nobody waits for Redis each time; credits are as they were; and then it is
    counted in Redis again."""
    proxy, process, redis = proxied
    number = ["killed", "frozen", "slow", "silent", "full"].index(fault)
    async with coming_from(process, f"198.51.{number}.1") as http:
        assert (await http.get(READ, headers=user.headers)).status_code == 200
        async with _spoiled(proxy, redis, fault):
            before, waited, began = await hashes(process), await waits(process), time.monotonic()
            guesses = [await guess(http, f"somebody@{fault}.example") for _ in range(40)]
            # One in a second waits out the deadline, and all others learn from it.
            assert await waits(process) - waited <= time.monotonic() - began + 2
            assert await hashes(process) - before == 10
            assert [answer.status_code for answer in guesses] == [401] * 10 + [429] * 30
            assert await _counts_alone(process)
            for _ in range(3):
                assert (await http.get(READ, headers=user.headers)).status_code == 200
            used = await http.post(f"{BASE}/credits/use", json=USE, headers=user.headers)
            assert used.status_code == 200
        await _until_redis_is_found(process, http)


@pytest.mark.checklist(20)
async def test_an_ended_session_is_refused_without_redis(proxied: tuple[Proxy, Process, Redis], user: SignedIn) -> None:
    """Whether a session lives is the database's to say."""
    proxy, process, redis = proxied
    async with coming_from(process, "198.51.23.1") as http, _spoiled(proxy, redis, "killed"):
        assert (await http.get(f"{BASE}/auth/sessions", headers=user.headers)).status_code == 200
        assert await _counts_alone(process)
        assert (await http.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200
        for path in (f"{BASE}/auth/sessions", READ):
            assert_problem(await http.get(path, headers=user.headers), 401, "unauthorized")
        validated = await http.post(f"{BASE}/auth/validate", json={"token": user.access_token})
        assert validated.json() == {"valid": False, "payload": None}
        refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": user.refresh_token})
        assert_problem(refreshed, 401, "unauthorized")
    async with coming_from(process, "198.51.23.2") as http:
        await _until_redis_is_found(process, http)


@pytest.mark.checklist(32)
async def test_a_flushed_redis_counts_anew(proxied: tuple[Proxy, Process, Redis]) -> None:
    """What was counted is gone, and what comes is counted: no more than twice as much goes through."""
    proxy, process, redis = proxied

    async def play(number: int) -> None:
        email, before = new_email(), await hashes(process)
        async with coming_from(process, f"198.51.20.{number}") as http:
            for _ in range(12):
                await guess(http, email)
        async with _spoiled(proxy, redis, "flushed"), coming_from(process, f"198.51.21.{number}") as http:
            answers = [await guess(http, email) for _ in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert await hashes(process) - before == 20

    await _undisturbed(process, play)


@pytest.mark.checklist(32)
async def test_a_front_that_never_found_redis(servers: Instance, logs: Path, user: SignedIn) -> None:
    nowhere = f"redis://127.0.0.1:{ports.choose(None, ())}/0"
    async with (
        limited_front(servers, logs, REDIS_URL=nowhere) as process,
        coming_from(process, "198.51.22.1") as http,
    ):
        email = new_email()
        assert [(await guess(http, email)).status_code for _ in range(12)] == [401] * 10 + [429] * 2
        assert (await http.get(READ, headers=user.headers)).status_code == 200
