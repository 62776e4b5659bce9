"""Signing keys in the database: their private halves sealed, one made at the first start however many fronts start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from api.auth.keys import SigningKey, from_pkcs8, generate
from api.auth.sealing import seal, unseal
from api.database import Connection, Database
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_LOCK: Final = 0x6D616E61_6B657973
"""Number of the advisory lock ("manakeys") under which a key is made."""


@dataclass(frozen=True)
class StoredKey:
    """A key as the database has it; a retired one only verifies."""

    key: SigningKey
    retired: bool


class KeyStore:
    """Reads and adds signing keys. Methods raise ``Unavailable`` where the database is away."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    async def load(self) -> list[StoredKey]:
        """Every key, the newest first. Raises ``Unreadable`` where MANA_SECRET_KEY is not the one that sealed them."""
        async with self._database.transaction() as connection:
            return await self._load(connection)

    async def establish(self, imported: SigningKey | None) -> None:
        """Makes sure that there is a key: the imported one, else any, else a new one."""
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            names = {stored.key.kid for stored in await self._load(connection)}
            if imported is not None and imported.kid not in names:
                await self._add(connection, imported)
            elif not names:
                await self._add(connection, generate())

    async def _load(self, connection: Connection) -> list[StoredKey]:
        rows = await connection.fetch(_SQL["list_signing_keys"])
        return [
            StoredKey(from_pkcs8(unseal(self._secret, row["sealed_private_key"], row["kid"].encode())), row["retired"])
            for row in rows
        ]

    async def _add(self, connection: Connection, key: SigningKey) -> None:
        sealed = seal(self._secret, key.pkcs8, key.kid.encode())
        await connection.execute(
            _SQL["add_signing_key"], key.kid, key.algorithm, msgspec.json.encode(key.jwk).decode(), sealed
        )
