"""A clock that tests set: for sessions with these settings ``now()`` is ours, found before PostgreSQL's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import asyncpg

from workers.ledger.store.session import Session

SETTINGS: Final[Mapping[str, str]] = {"search_path": "test_clock,pg_catalog", "test.now": "2028-01-01T00:00:00Z"}

_INSTALL: Final = """
CREATE SCHEMA test_clock;
GRANT USAGE ON SCHEMA test_clock TO PUBLIC;
CREATE FUNCTION test_clock.now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT current_setting('test.now')::timestamptz $$;
"""


async def install(by_hand: asyncpg.Connection) -> None:
    """Makes the clock in this database."""
    await by_hand.execute(_INSTALL)


async def set_clock(session: Session, now: datetime) -> None:
    """From now on it is ``now`` for this session."""
    await session.fetch("SELECT set_config('test.now', $1, false)", now.isoformat())
