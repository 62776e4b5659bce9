"""Pauses of apps' logins: rows, by which the keeper of logins makes the broker."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from msgspec import Struct

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement

_PAUSE: Final = statement("pause_login")


class Pause(Struct, frozen=True):
    """A login's pause: seconds that are left of it, and whether it was ``decided`` by this very question."""

    seconds: float
    decided: bool


class Pauses:
    """On a connection of its own, so that no pause waits for a batch. Methods raise a ``Fault``."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def pause(self, login: str, shortest: timedelta) -> Pause | None:
        """Pauses a login, unless it is paused already. ``None``: no live secret is of that name, so nobody can.

        Each further pause within a minute of the last one is twice as long, up to twelve times ``shortest``.
        """
        rows = await self._rows.fetch(_PAUSE, login, shortest)
        return Pause(rows[0]["seconds"], rows[0]["decided"]) if rows else None

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()
