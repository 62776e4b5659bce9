"""What stands between a right password and a session. Stand-in: nothing does, nobody can enrol a second factor yet."""

from __future__ import annotations

from dataclasses import dataclass

from api.auth.model import Device, Standing
from api.database import Connection


@dataclass(frozen=True)
class Challenge:
    """To be answered with a second factor; ``token`` proves that the password was right, for some minutes."""

    token: str


async def after_password(connection: Connection, standing: Standing, device: Device) -> Challenge | None:
    """The challenge of a user who has a second factor; ``None``: the session may start.

    In the transaction of the sign-in, as that user, entered. Today the answer is always ``None``.
    """
    _ = connection, standing, device
    return None
