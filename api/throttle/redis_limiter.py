"""Counters in Redis, where every front finds the same. Whatever is wrong with it is told in bounded time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.throttle import buckets, verdicts
from api.throttle.classes import Backoff, LimitClass
from api.throttle.counters import CounterNames
from api.throttle.limiter import Charge, Verdict

SECONDS_MAX: Final = 0.05
"""No request waits longer than this for its counters."""
_CONNECTIONS_MAX: Final = 32
_SCRIPT: Final = (Path(__file__).parent / "counters.lua").read_text(encoding="utf-8")


class CountersAway(Exception):  # noqa: N818 - says what is the matter
    """Redis did not answer in time, or could not count: it is away, full, or loading its data."""


@lru_cache(64)
def _rule(limit: LimitClass | Backoff) -> bytes:
    return msgspec.json.encode(buckets.rule_of(limit))


class RedisLimiter:
    """Every method raises ``CountersAway``, and may then have been carried out all the same."""

    def __init__(self, redis: Redis, names: CounterNames) -> None:
        self._redis = redis
        self._names = names
        self._script = redis.register_script(_SCRIPT)

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, names: CounterNames) -> AsyncGenerator[RedisLimiter]:
        """Connects when it is first needed, so a Redis that is away stops no start."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS_MAX,
            timeout=SECONDS_MAX,
            decode_responses=True,
            client_name="mana-api-limits",
            # Once more at once, for a connection that died while nobody used it.
            retry=Retry(NoBackoff(), 1),
        )
        async with Redis.from_pool(pool) as redis:
            yield cls(redis, names)

    async def take(self, *charges: Charge) -> Verdict:
        """Takes all charges or none."""
        refused, wait, *figures = await self._run("take", charges)
        if refused:
            return verdicts.refused(charges[refused - 1], wait)
        return verdicts.taken(charges, list(zip(figures[::2], figures[1::2], strict=True)))

    async def give_back(self, *charges: Charge) -> None:
        """Undoes charges."""
        await self._run("give_back", charges)

    async def forget(self, *charges: Charge) -> None:
        """Begins anew for these."""
        try:
            async with asyncio.timeout(SECONDS_MAX):
                await self._redis.delete(*(self._names.of(charge) for charge in charges))
        except (RedisError, OSError, TimeoutError) as error:
            raise CountersAway from error

    async def _run(self, what: Literal["take", "give_back"], charges: tuple[Charge, ...]) -> Any:
        names = [self._names.of(charge) for charge in charges]
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return await self._script(names, [what, *(_rule(charge.limit) for charge in charges)])
        except (RedisError, OSError, TimeoutError) as error:
            raise CountersAway from error
