"""Signing keys in the database: their private halves sealed, and gone with their retirement.

However many fronts find that something is due, one of them does it: they take turns, and each looks again first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

import asyncpg
import msgspec

from api.auth import key_schedule, store
from api.auth.key_schedule import KeyRules, KeyTimes
from api.auth.keys import SigningKey, VerifyingKey, from_jwk, from_pkcs8, generate
from api.auth.model import NOWHERE, SecurityEvent
from api.auth.sealing import seal, unseal
from api.database import Connection, Database
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_LOCK: Final = 0x6D616E61_6B657973
"""Number of the advisory lock ("manakeys") under which keys are added and retired."""

Reason = Literal["first", "schedule", "imported", "operator", "compromised"]
"""Why a key was added, as the security event says it."""


@dataclass(frozen=True)
class StoredKey:
    """A key as the database has it; ``signing`` is the whole of it until it is retired."""

    key: VerifyingKey
    times: KeyTimes
    signing: SigningKey | None


@dataclass(frozen=True)
class StoredKeys:
    """The keys that verified at ``at``, in seconds since 1970 by the database's clock; and the times of every key that
    was ever there."""

    at: float
    times: Sequence[KeyTimes]
    keys: Sequence[StoredKey]


class KeyStore:
    """Reads, adds and retires signing keys. Methods raise ``Unavailable`` where the database is away, and
    ``Unreadable`` where MANA_SECRET_KEY is not the one that sealed what is there."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret
        self._opened: dict[str, SigningKey] = {}

    async def load(self) -> StoredKeys:
        """The keys as they are."""
        async with self._database.statement() as connection:
            return await self._read(connection)

    async def tend(self, rules: KeyRules, imported: SigningKey | None) -> StoredKeys:
        """Does what is due by now, if another front has not done it meanwhile; answers the keys as they are then."""
        async with self._database.transaction() as connection:
            found = await self._read_in_turn(connection)
            due = key_schedule.work(found.times, found.at, rules, None if imported is None else imported.kid)
            if due.add:
                await self._add(connection, *await _next_key(found, rules, imported), due.lead)
            await self._retire(connection, due.retire, rules.linger)
            return await self._read(connection)

    async def rotate(self, rules: KeyRules) -> StoredKeys:
        """Announces a new key at once, whatever is due, unless one is announced already; answers all keys."""
        async with self._database.transaction() as connection:
            found = await self._read_in_turn(connection)
            if not any(key_schedule.is_pending(key, found.at) for key in found.times):
                lead = timedelta(seconds=key_schedule.LEAD_SECONDS)
                await self._add(connection, await _generated(found, rules), "operator", lead)
            return await self._read(connection)

    async def withdraw_all(self, rules: KeyRules) -> StoredKeys:
        """A new key signs at once, and no token of any other is good any more; answers all keys."""
        async with self._database.transaction() as connection:
            found = await self._read_in_turn(connection)
            await self._add(connection, await _generated(found, rules), "compromised", timedelta())
            await self._withdraw(connection, [key.kid for key in found.times])
            return await self._read(connection)

    async def _read_in_turn(self, connection: Connection) -> StoredKeys:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        return await self._read(connection)

    async def _read(self, connection: Connection) -> StoredKeys:
        rows = await connection.fetch(_SQL["list_signing_keys"])
        at = rows[-1]["at"] if rows else 0.0
        times = [_times(row) for row in rows]
        keys = [self._stored(row, key) for row, key in zip(rows, times, strict=True) if key_schedule.verifies(key, at)]
        unretired = {stored.times.kid for stored in keys if stored.signing is not None}
        self._opened = {kid: key for kid, key in self._opened.items() if kid in unretired}
        return StoredKeys(at, times, keys)

    def _stored(self, row: asyncpg.Record, times: KeyTimes) -> StoredKey:
        signing = None if times.retired else self._unsealed(times.kid, row["sealed_private_key"])
        return StoredKey(from_jwk(msgspec.json.decode(row["public_jwk"])), times, signing)

    def _unsealed(self, kid: str, sealed: bytes) -> SigningKey:
        if kid not in self._opened:
            self._opened[kid] = from_pkcs8(unseal(self._secret, sealed, kid.encode()))
        return self._opened[kid]

    async def _add(self, connection: Connection, key: SigningKey, reason: Reason, lead: timedelta) -> None:
        sealed, jwk = seal(self._secret, key.pkcs8, key.kid.encode()), msgspec.json.encode(key.jwk).decode()
        await connection.execute(_SQL["add_signing_key"], key.kid, key.algorithm, jwk, sealed, lead)
        event = SecurityEvent("keys.rotated", NOWHERE, details={"kid": key.kid, "reason": reason})
        await store.add_event(connection, event)

    async def _retire(self, connection: Connection, kids: Iterable[str], linger: timedelta) -> None:
        await connection.execute(_SQL["retire_signing_keys"], list(kids), linger)

    async def _withdraw(self, connection: Connection, kids: Iterable[str]) -> None:
        await connection.execute(_SQL["withdraw_signing_keys"], list(kids))


def _times(row: asyncpg.Record) -> KeyTimes:
    return KeyTimes(row["kid"], row["algorithm"], row["active_from"], row["retired"], row["verify_until"])


async def _next_key(found: StoredKeys, rules: KeyRules, imported: SigningKey | None) -> tuple[SigningKey, Reason]:
    if imported is not None and imported.kid not in {key.kid for key in found.times}:
        return imported, "imported"
    return await asyncio.to_thread(generate, rules.algorithm), "schedule" if found.times else "first"


async def _generated(found: StoredKeys, rules: KeyRules) -> SigningKey:
    """A new key of the algorithm that signs now: an operator's shell may not know what the fronts are told."""
    current = key_schedule.signer(found.times, found.at, rules)
    return await asyncio.to_thread(generate, rules.algorithm if current is None else current.algorithm)
