"""Hashes that stand for users who are not there, or have no password: an unknown address costs what a known one may.

Imported hashes cost more or less than ours. So an unknown address looks like one of the kinds that there are, as often
as users have that kind, and always like the same one: else many tries would tell it from a user's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import secrets
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from api.auth.sealing import derive
from api.database import Database
from api.errors import Unavailable
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_PURPOSE: Final = b"mana: kinds of decoys"
_LOOK_SECONDS: Final = 3_600
_RETRY_SECONDS: Final = 30
_SHARE_MIN: Final = 0.01
"""Kinds that fewer users have are no cover for anybody."""
_BCRYPT_ALPHABET: Final = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_SALT_ENDS: Final = ".Oeu"
"""What 128 bits can end with, of 132."""

_log = structlog.get_logger(__name__)


def fabricated(kind: str) -> str:
    """A hash of that kind that no password is known to fit; ``kind`` is all that stands before its salt."""
    if kind.startswith("$2"):
        salt = "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(21)) + secrets.choice(_BCRYPT_SALT_ENDS)
        return f"{kind}${salt}" + "".join(secrets.choice(_BCRYPT_ALPHABET) for _ in range(31))
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"{kind}${salt}${digest}"


class Kinds:
    """Kinds of hashes, each with the share of users who have it."""

    def __init__(self, users: Mapping[str, int]) -> None:
        every = sum(users.values())
        frequent = {kind: count for kind, count in sorted(users.items()) if count >= every * _SHARE_MIN}
        self._names = tuple(frequent)
        self._ends = tuple(itertools.accumulate(frequent.values()))

    def at(self, place: float) -> str | None:
        """The kind at a place from 0 to 1 (which it never is); ``None`` where nobody has a password."""
        return self._names[bisect_right(self._ends, place * self._ends[-1])] if self._names else None


class Decoys:
    """Knows the kinds that there are, and chooses among them. Run ``follow`` as a task while the process lives."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._key = derive(secret, _PURPOSE)
        self._kinds = Kinds({})

    def of(self, subject: bytes) -> str | None:
        """A hash of the kind that this subject seems to have; ``None`` while no kind is known."""
        digest = hmac.digest(self._key, subject, hashlib.sha256)
        kind = self._kinds.at(int.from_bytes(digest[:6]) / 2**48)
        return None if kind is None else fabricated(kind)

    async def look(self) -> None:
        """Asks the database for the kinds. Raises ``Unavailable``."""
        async with self._database.statement() as connection:
            rows = await connection.fetch(_SQL["count_password_kinds"])
        self._kinds = Kinds({row["kind"]: row["users"] for row in rows})

    async def follow(self) -> None:
        """Looks each hour; what was known stays while the database cannot tell."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                _log.warning("the kinds of passwords cannot be counted", reason=str(error))
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await asyncio.sleep(_LOOK_SECONDS)
