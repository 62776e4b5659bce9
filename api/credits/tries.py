"""The newest try of each key that was sent over REST, in Redis, so that every front knows it.

A key may be used again after a refusal. Until the new try is decided the ledger holds only the old refusal, and this
note is what tells that it is old.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import BlockingConnectionPool, Redis

from api.errors import Unavailable
from api.redis_away import AWAY

SECONDS_MAX: Final = 0.05
"""A note is never worth more waiting than this; a use goes on without it."""
CONNECTIONS_MAX: Final = 32
"""As many as requests that come at once; made when needed, and kept."""
_KEPT_SECONDS: Final = 24 * 3_600
# Only the try's own note is taken back: another may have been sent meanwhile.
_TAKE_BACK: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Noted:
    """A note that was written, and the try that it took the place of (``""`` for none)."""

    previous: str


class Tries:
    """Notes of tries by user and idempotency key, kept for a day."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str) -> AsyncGenerator[Tries]:
        """Connects when it is first needed, so a Redis that is away stops no start."""
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS_MAX, timeout=SECONDS_MAX, decode_responses=True, client_name="mana-api"
        )
        async with Redis.from_pool(pool) as redis:
            yield cls(redis)

    @property
    def connections(self) -> int:
        """Connections to Redis that there are, used or not."""
        return sum(number for number, _ in self._redis.connection_pool.get_connection_count())

    async def note(self, user_id: UUID, key: str, message_id: str) -> Noted | None:
        """From now on this is the key's newest try; ``None`` where that could not be written down in time."""
        try:
            with _translated():
                async with asyncio.timeout(SECONDS_MAX):
                    previous = await self._redis.set(_name(user_id, key), message_id, ex=_KEPT_SECONDS, get=True)
        except Unavailable as error:
            _log.warning("a try could not be noted", reason=repr(error.__cause__))
            return None
        return Noted(str(previous or ""))

    async def take_back(self, user_id: UUID, key: str, message_id: str, noted: Noted) -> None:
        """Nothing will come of the try: the one before it counts again. Where that fails the key is unknown for a day,
        or until it is used again, which is no lie."""
        try:
            with _translated():
                async with asyncio.timeout(SECONDS_MAX):
                    await self._redis.execute_command(
                        "EVAL", _TAKE_BACK, 1, _name(user_id, key), message_id, noted.previous, _KEPT_SECONDS
                    )
        except Unavailable as error:
            _log.warning("a try's note could not be taken back", reason=repr(error.__cause__))

    async def newest(self, user_id: UUID, key: str) -> str | None:
        """The message id of the newest try, ``None`` where none is noted. Raises ``Unavailable``."""
        with _translated():
            async with asyncio.timeout(SECONDS_MAX):
                found = await self._redis.get(_name(user_id, key))
        return None if found is None else str(found)


def _name(user_id: UUID, key: str) -> str:
    return f"mana:try:{user_id}:{key}"


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except AWAY as error:
        raise Unavailable("redis", "it cannot be told yet what became of the newest try of this key") from error
