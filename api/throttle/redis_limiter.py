"""Counters in Redis, where every front finds the same."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from api.redis_line import RedisLine
from api.throttle import buckets, verdicts
from api.throttle.classes import Backoff, LimitClass
from api.throttle.counters import CounterNames
from api.throttle.limiter import Charge, Verdict

SCRIPT: Final = (Path(__file__).parent / "counters.lua").read_text(encoding="utf-8")


@lru_cache(64)
def _rule(limit: LimitClass | Backoff) -> bytes:
    return msgspec.json.encode(buckets.rule_of(limit))


class RedisLimiter:
    """Every method raises ``RedisAway``, and may then have been carried out all the same."""

    def __init__(self, line: RedisLine, names: CounterNames, script: str) -> None:
        self._line = line
        self._names = names
        self._sha = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, names: CounterNames, *, patience: float, script: str = SCRIPT
    ) -> AsyncGenerator[RedisLimiter]:
        """Connects when it is first needed, so a Redis that is away stops no start. ``patience`` in seconds."""
        async with RedisLine.connected(url, script, "mana-api-limits", patience) as line:
            yield cls(line, names, script)

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
        await self._line.ask("DEL", *(self._names.of(charge) for charge in charges))

    async def _run(self, what: Literal["take", "give_back"], charges: tuple[Charge, ...]) -> Any:
        names = [self._names.of(charge) for charge in charges]
        rules = [_rule(charge.limit) for charge in charges]
        return await self._line.ask("EVALSHA", self._sha, str(len(names)), *names, what, *rules)
