"""The newest try of each key that was sent over REST, in Redis, so that every front knows it.

A key may be used again after a refusal. Until the new try is decided the ledger holds only the old refusal, and this
note is what tells that it is old. A note is never worth waiting for: a use goes on without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from api.errors import Unavailable
from api.redis_line import RedisAway, RedisLine

_KEPT_SECONDS: Final = 24 * 3_600
# ARGV: the try whose place is taken ('' for whichever is there), the try that takes it ('' for none), seconds.
# Answers what was there.
_REPLACE: Final = """
local noted = redis.call('GET', KEYS[1])
if ARGV[1] ~= '' and noted ~= ARGV[1] then return noted end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return noted
"""
_SHA: Final = hashlib.sha1(_REPLACE.encode(), usedforsecurity=False).hexdigest()

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Noted:
    """A note that was written, and the try that it took the place of (``""`` for none)."""

    previous: str


class Tries:
    """Notes of tries by user and idempotency key, kept for a day."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, patience: float) -> AsyncGenerator[Tries]:
        """Connects when it is first needed, so a Redis that is away stops no start. ``patience`` in seconds."""
        async with RedisLine.connected(url, _REPLACE, "mana-api", patience) as line:
            yield cls(line)

    @property
    def connections(self) -> int:
        """Connections to Redis that there are, used or not."""
        return self._line.connections

    async def note(self, user_id: UUID, key: str, message_id: str) -> Noted | None:
        """From now on this is the key's newest try; ``None`` where that could not be written down in time."""
        try:
            return Noted(await self._replace(user_id, key, "", message_id))
        except RedisAway as error:
            _log.warning("a try could not be noted", reason=repr(error.__cause__))
            return None

    async def take_back(self, user_id: UUID, key: str, message_id: str, noted: Noted) -> None:
        """Nothing will come of the try: the one before it counts again, but where another was sent meanwhile. Where
        that fails the key is unknown for a day, or until it is used again, which is no lie."""
        try:
            await self._replace(user_id, key, message_id, noted.previous)
        except RedisAway as error:
            _log.warning("a try's note could not be taken back", reason=repr(error.__cause__))

    async def newest(self, user_id: UUID, key: str) -> str | None:
        """The message id of the newest try, ``None`` where none is noted. Raises ``Unavailable``."""
        try:
            found = await self._line.ask("GET", _name(user_id, key))
        except RedisAway as error:
            raise Unavailable("redis", "it cannot be told yet what became of the newest try of this key") from error
        return None if found is None else str(found)

    async def _replace(self, user_id: UUID, key: str, old: str, new: str) -> str:
        name = _name(user_id, key)
        return str(await self._line.ask("EVALSHA", _SHA, "1", name, old, new, str(_KEPT_SECONDS)) or "")


def _name(user_id: UUID, key: str) -> str:
    return f"mana:try:{user_id}:{key}"
