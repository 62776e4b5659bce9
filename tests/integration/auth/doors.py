"""Two fronts' worth of services over one database, without HTTP and without the work of a password's hash."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from api.auth import standing
from api.auth.devices import Devices
from api.auth.ended_sessions import EndedSessions
from api.auth.keyring import Keyring
from api.auth.keystore import KeyStore
from api.auth.model import Device, Lifetimes
from api.auth.sessions import Sessions
from api.auth.starting import Grant, Started, Starting, grant
from api.auth.tokens import Claims, TokenRules, Tokens
from api.database import Database as Pool
from tests.integration.auth.rooms import MINUTES, SECRET, SOMEWHERE
from tests.integration.ledger.server import Database


@dataclass(frozen=True)
class Front:
    """What one front does with sessions."""

    pool: Pool
    starting: Starting
    sessions: Sessions
    tokens: Tokens

    async def start(self, user: UUID) -> Started:
        """A session of a user whose proof was good."""
        async with self.pool.as_user(user) as connection:
            now = await standing.enter(connection, user)
            assert now is not None
            return await self.starting.start(connection, now, SOMEWHERE, Device(None, None))

    async def begin(self, user: UUID) -> tuple[Grant, Claims]:
        """A session, what its client is given, and what its token says."""
        given = await grant(self.tokens, await self.start(user))
        claims = await self.tokens.verify(given.access_token)
        assert claims is not None
        return given, claims


@asynccontextmanager
async def front_of(database: Database, lifetimes: Lifetimes, sessions_max: int = 50) -> AsyncGenerator[Front]:
    """One front, with connections of its own."""
    async with Pool.connected(database.url("mana_api"), 4, "test") as pool:
        ring = Keyring(KeyStore(pool, SECRET), None, time.time)
        tokens = Tokens(ring, TokenRules("mana", "mana", MINUTES), time.time)
        sessions = Sessions(pool, tokens, EndedSessions(MINUTES, time.time), lifetimes)
        yield Front(pool, Starting(lifetimes, Devices(SECRET), sessions_max), sessions, tokens)
