"""The database's own functions for upkeep: which rows go is decided there, by its clock (0004, 0015, 0034)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from api.database import Connection
from api.sql import Statements

Kind = Literal["seals", "tokens", "revocations", "devices", "mails"]

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def sweep(connection: Connection, kind: Kind, most: int) -> int:
    """Takes away rows of one kind, about so many at most; answers how many went: 0 also while another sweeps."""
    return await connection.fetchval(_SQL["sweep"], kind, most) or 0


async def sweep_sessions(connection: Connection, older_than: timedelta, most: int) -> int:
    """The same for sessions that ended so long ago, with their tokens; never those of the last 26 hours."""
    return await connection.fetchval(_SQL["sweep_sessions"], older_than, most) or 0


async def sweep_events(connection: Connection, older_than: timedelta, most: int) -> int:
    """The same for security events; acts of administrators and operators stay for five years at least."""
    return await connection.fetchval(_SQL["sweep_events"], older_than, most) or 0


async def erase_some(connection: Connection, most: int) -> bool:
    """One step of blanking what was written about a deleted user; whether there was anything to do."""
    return await connection.fetchval(_SQL["erase_some"], most) is True


async def put_off_erasure(connection: Connection) -> None:
    """The erasure whose turn it is comes an hour later: others must not wait for one that fails."""
    await connection.execute(_SQL["put_off_erasure"])
