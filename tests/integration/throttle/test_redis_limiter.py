"""Counters in a real Redis: the script decides as the Python does, in one step, and fails in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from api.redis_line import WAIT_MS, RedisAway
from api.throttle.limiter import Charge, Verdict
from api.throttle.local_limiter import LocalLimiter
from api.throttle.redis_limiter import SCRIPT, RedisLimiter
from tests.faults.tools.proxy import Proxy
from tests.unit.api.throttle.subjects import NAMES, StandingClock, five, guess, two


@dataclass(frozen=True)
class Step:
    """So many seconds later, this is done with these charges."""

    later: float
    what: Literal["take", "give_back", "forget"]
    charges: list[Charge]


_PATIENCE = WAIT_MS / 1_000
ONE_BY_ONE = [five(), five(b"192.0.2.2"), two(), guess(), guess(b"bob@example.com")]
LAST = [Step(0.0, "take", [charge]) for charge in ONE_BY_ONE]
STEPS = st.lists(
    st.builds(
        Step,
        st.one_of(st.just(0.0), st.floats(0, 5, width=16), st.sampled_from([30.0, 900.0])),
        st.sampled_from(["take", "take", "take", "take", "give_back", "forget"]),
        st.lists(st.sampled_from(ONE_BY_ONE), min_size=1, max_size=4, unique=True),
    ),
    max_size=40,
)


@asynccontextmanager
async def _limiter(url: str, script: str = SCRIPT) -> AsyncGenerator[RedisLimiter]:
    """One that does not mind how busy the machine is."""
    async with RedisLimiter.connected(url, NAMES, script=script, patience=10.0) as limiter:
        yield limiter


async def _do(limiter: RedisLimiter | LocalLimiter, step: Step) -> Verdict | None:
    match step.what:
        case "take":
            return await limiter.take(*step.charges)
        case "give_back":
            await limiter.give_back(*step.charges)
        case "forget":
            await limiter.forget(*step.charges)
    return None


def _told_the_time() -> str:
    """The script, which reads the time where the test has written it, and keeps its counters longer than any example
    takes."""
    asks, keeps = "redis.call('TIME')", "'PX'"
    assert (SCRIPT.count(asks), SCRIPT.count(keeps)) == (1, 1)
    return SCRIPT.replace(asks, "redis.call('LRANGE', 'clock', 0, 1)").replace(keeps, "'EX'")


async def test_the_script_decides_as_the_python_does(redis: Redis, redis_url: str) -> None:
    """Verdicts are the same, by any order of requests and times; the last ones by all that is kept."""
    loop = asyncio.get_running_loop()

    async def play(steps: list[Step]) -> None:
        clock = StandingClock()
        own = LocalLimiter(NAMES, clock=clock)
        await redis.flushall()
        async with _limiter(redis_url, _told_the_time()) as shared:
            for step in [*steps, *LAST]:
                clock.move(step.later)
                await redis.delete("clock")
                await redis.rpush("clock", clock.now // 1_000_000, clock.now % 1_000_000)
                assert await _do(shared, step) == await _do(own, step)

    @settings(max_examples=60)
    @given(STEPS)
    def holds(steps: list[Step]) -> None:
        asyncio.run_coroutine_threadsafe(play(steps), loop).result(60)

    await asyncio.to_thread(holds)


async def test_requests_side_by_side_are_counted_one_after_the_other(redis: Redis, redis_url: str) -> None:
    """[29]: from two fronts at once."""
    async with _limiter(redis_url) as one, _limiter(redis_url) as other:
        verdicts = await asyncio.gather(*(limiter.take(five()) for _ in range(50) for limiter in (one, other)))
    assert sum(verdict.allowed for verdict in verdicts) == 5
    assert await redis.dbsize() == 1


async def test_counters_do_not_tell_whose_they_are(redis: Redis, redis_url: str) -> None:
    """[44]: neither in their names nor in their values, and they go away by themselves."""
    async with _limiter(redis_url) as limiter:
        await limiter.take(five(), guess())
    for name in map(str, await redis.keys()):
        assert name.startswith("mana:limit:")
        assert "192.0.2.1" not in name
        assert "ada" not in name
        assert 0 < await redis.pttl(name) <= 24 * 3_600 * 1_000


async def test_scripts_that_were_forgotten_are_told_again(redis: Redis, redis_url: str) -> None:
    async with _limiter(redis_url) as limiter:
        assert (await limiter.take(five())).remaining == 4
        await redis.script_flush()
        assert (await limiter.take(five())).remaining == 3


async def test_a_redis_that_is_full_is_away(redis: Redis, redis_url: str) -> None:
    """S37."""
    async with _limiter(redis_url) as limiter:
        await limiter.take(five())
        await redis.config_set("maxmemory", "1")
        with pytest.raises(RedisAway):
            await limiter.take(five())
        await redis.config_set("maxmemory", "0")
        assert (await limiter.take(five())).remaining == 3


@pytest.mark.parametrize("fault", ["frozen", "slow", "refusing", "half cut"])
async def test_a_redis_that_does_not_answer_is_away_in_bounded_time(redis: Redis, redis_url: str, fault: str) -> None:
    """S37: and it is found again by itself."""
    assert await redis.ping()
    async with (
        Proxy.before(redis_url) as proxy,
        RedisLimiter.connected(proxy.url(redis_url), NAMES, patience=_PATIENCE) as limiter,
    ):
        await _until_it_takes(limiter)
        match fault:
            case "frozen":
                proxy.freeze()
            case "slow":
                proxy.delay(2.0)
            case "refusing":
                await proxy.refuse()
            case _:
                await proxy.cut("up")
                proxy.freeze("down")
        with pytest.raises(RedisAway):
            async with asyncio.timeout(1.8):
                await limiter.take(five())
        await proxy.restore()
        await _until_it_takes(limiter)


async def _until_it_takes(limiter: RedisLimiter) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await limiter.take(five())
            except RedisAway:
                await asyncio.sleep(0.02)
            else:
                return


async def test_a_burst_goes_in_parts_and_whoever_left_is_no_matter(redis: Redis, redis_url: str) -> None:
    """A thousand at once over one connection, every third of whom is gone before he is answered."""
    async with _limiter(redis_url) as limiter:
        tasks = [asyncio.create_task(limiter.take(five(b"%d" % number))) for number in range(1_000)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {outcome.remaining for outcome in outcomes if isinstance(outcome, Verdict)} == {4}
        assert sum(isinstance(outcome, Verdict) for outcome in outcomes) == 666
        ours = [client for client in await redis.client_list() if client["name"] == "mana-api-limits"]
        assert len(ours) == 1
        assert (await limiter.take(five(b"1"))).remaining == 3


async def test_connecting_may_take_longer_than_anybody_waits(redis: Redis, redis_url: str) -> None:
    """A Redis far away, whose handshake alone takes longer than a request has: it is found all the same."""
    assert await redis.ping()
    async with (
        Proxy.before(redis_url) as proxy,
        RedisLimiter.connected(proxy.url(redis_url), NAMES, patience=0.5) as limiter,
    ):
        proxy.delay(0.6, direction="down")
        with pytest.raises(RedisAway):
            await limiter.take(five())
        await asyncio.sleep(4)
        proxy.delay(0.0)
        accepted = proxy.accepted
        await _until_it_takes(limiter)
        assert proxy.accepted == accepted == 1


async def test_what_takes_long_is_done_once(redis: Redis, redis_url: str) -> None:
    """Also where somebody waits for longer than a connection that is taken for dead."""
    assert await redis.ping()
    async with (
        Proxy.before(redis_url) as proxy,
        RedisLimiter.connected(proxy.url(redis_url), NAMES, patience=20.0) as limiter,
    ):
        await limiter.take(five())
        proxy.freeze("down")
        taking = asyncio.create_task(limiter.take(five()))
        await asyncio.sleep(3)
        proxy.thaw("down")
        assert (await taking).remaining == 3
