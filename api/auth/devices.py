"""Devices that users have signed in from, by keyed hash: an attacker's wrong guesses do not lock those out.

A device is known by the id that its client made and kept: 128 random bits, or whatever else nobody else can guess.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final
from uuid import UUID

from api.auth.model import Device
from api.auth.sealing import derive
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_PURPOSE: Final = b"mana: known devices"
REMEMBERED_MAX: Final = 50
"""A client that calls itself something new at each sign-in must not fill the table."""


class Devices:
    """Knows devices again; the key is derived from ``MANA_SECRET_KEY``."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive(secret, _PURPOSE)

    def hash_of(self, device: Device) -> bytes | None:
        """What the database keeps of the device; ``None`` for a client that does not say which it is."""
        return None if device.id is None else hmac.digest(self._key, device.id.encode(), hashlib.sha256)

    async def remember(self, connection: Connection, user_id: UUID, device: Device) -> None:
        """Notes that the user has signed in from it, in the transaction of that sign-in. Of a user's devices the
        ``REMEMBERED_MAX`` last seen stay known."""
        device_hash = self.hash_of(device)
        if device_hash and await connection.fetchval(_SQL["remember_device"], user_id, device_hash):
            await connection.execute(_SQL["forget_old_devices"], user_id, REMEMBERED_MAX)
