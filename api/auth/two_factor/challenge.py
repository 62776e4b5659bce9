"""What stands between a right password and a session, for a user who has a second factor."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from api.auth.model import Device, Standing
from api.auth.two_factor import store
from api.database import Connection

LIFE: Final = timedelta(minutes=5)
_BYTES: Final = 32


@dataclass(frozen=True)
class Challenge:
    """To be answered with a second factor; ``token`` proves that the password was right, for some minutes."""

    token: str

    @classmethod
    def new(cls) -> Challenge:
        """A random one."""
        return cls(secrets.token_urlsafe(_BYTES))

    @property
    def hash(self) -> bytes:
        """As the database holds it; a plain hash will do for 256 random bits."""
        return hashlib.sha256(self.token.encode()).digest()


async def after_password(
    connection: Connection, standing: Standing, device: Device, device_hash: bytes | None
) -> Challenge | None:
    """The challenge of a user who has a second factor; ``None``: the session may start.

    In the transaction of the sign-in, as that user, entered. It is for the device that the password came from, and of
    the user's present epoch; the user's challenge of before is void.
    """
    user_id = standing.user.id
    factor = await store.lock_factor(connection, user_id)
    if factor is None or not factor.enabled:
        return None
    challenge = Challenge.new()
    await store.replace_challenge(
        connection,
        user_id,
        challenge.hash,
        life=LIFE,
        epoch=standing.epoch,
        device_hash=device_hash,
        device_name=device.name,
    )
    return challenge
