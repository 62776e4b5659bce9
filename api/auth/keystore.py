"""Signing keys in the database: their private halves sealed, one made at the first start however many fronts start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from api.auth.keys import SigningKey, VerifyingKey, from_jwk, from_pkcs8, generate
from api.auth.sealing import seal, unseal
from api.database import Connection, Database
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_LOCK: Final = 0x6D616E61_6B657973
"""Number of the advisory lock ("manakeys") under which a key is made."""


@dataclass(frozen=True)
class StoredKey:
    """A key as the database has it, for those that verify.

    ``signing`` is the whole of it where it signs now: neither retired nor only announced. ``seconds_left`` is how long
    it still verifies, counted from when it was read; ``None``: without an end.
    """

    key: VerifyingKey
    signing: SigningKey | None = None
    seconds_left: float | None = None


class KeyStore:
    """Reads and adds signing keys. Methods raise ``Unavailable`` where the database is away."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret

    async def load(self) -> list[StoredKey]:
        """Every key that verifies, the one to sign with first of those that sign.

        Raises ``Unreadable`` where MANA_SECRET_KEY is not the one that sealed them.
        """
        async with self._database.statement() as connection:
            rows = await connection.fetch(_SQL["list_signing_keys"])
        return [self._stored(row) for row in rows if row["seconds_left"] is None or row["seconds_left"] > 0]

    async def establish(self, imported: SigningKey | None) -> None:
        """Makes sure that there is a key to sign with: the imported one, else any, else a new one.

        An imported one that stands there already is left as it is: it may have been withdrawn.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            rows = await connection.fetch(_SQL["list_signing_keys"])
            if imported is not None and imported.kid not in {row["kid"] for row in rows}:
                await self._add(connection, imported)
            elif not any(row["signs"] for row in rows):
                await self._add(connection, generate())

    def _stored(self, row: asyncpg.Record) -> StoredKey:
        verifying = from_jwk(msgspec.json.decode(row["public_jwk"]))
        signing = self._unsealed(row["kid"], row["sealed_private_key"]) if row["signs"] else None
        return StoredKey(verifying, signing, row["seconds_left"])

    def _unsealed(self, kid: str, sealed: bytes) -> SigningKey:
        return from_pkcs8(unseal(self._secret, sealed, kid.encode()))

    async def _add(self, connection: Connection, key: SigningKey) -> None:
        sealed = seal(self._secret, key.pkcs8, key.kid.encode())
        await connection.execute(
            _SQL["add_signing_key"], key.kid, key.algorithm, msgspec.json.encode(key.jwk).decode(), sealed
        )
