"""The relay tells how full the database server is: of everybody's sessions, though it may not look at them."""

from __future__ import annotations

from contextlib import AsyncExitStack

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from api.database import Database
from api.relay.watching import DatabaseMetrics, Watching
from tests.integration.ledger.server import Database as OwnDatabase

OTHERS = 8


async def test_sessions_of_others_count_and_so_does_what_the_database_holds(database: OwnDatabase) -> None:
    registry = CollectorRegistry()
    async with AsyncExitStack() as stack:
        for _ in range(OTHERS):
            connection = await asyncpg.connect(database.url("mana_api"))
            stack.push_async_callback(connection.close)
        relay = await stack.enter_async_context(Database.connected(database.url("mana_relay"), 1, "relay"))
        await Watching(relay, DatabaseMetrics(registry)).look()
    figures = {
        name: registry.get_sample_value(f"mana_database_{name}") or 0
        for name in ("connections", "connections_max", "bytes")
    }
    assert OTHERS < figures["connections"] <= figures["connections_max"]
    assert figures["bytes"] > 1_000_000


async def test_backups_that_were_noted_are_told(database: OwnDatabase) -> None:
    """What is archived: tests/integration/workers/test_backup.py."""
    registry = CollectorRegistry()
    owner = await asyncpg.connect(database.url("mana_owner"))
    async with Database.connected(database.url("mana_relay"), 1, "relay") as relay:
        watching = Watching(relay, DatabaseMetrics(registry))
        await watching.look()
        assert registry.get_sample_value("mana_backup_timestamp_seconds") == 0
        await owner.execute("INSERT INTO mana.backups (place, ended_at) VALUES ('new', now()), ('old', '2020-01-01')")
        now = await owner.fetchval("SELECT extract(epoch FROM now())::float8")
        await watching.look()
    await owner.close()
    noted, made = (
        registry.get_sample_value(f"mana_{name}_timestamp_seconds") or 0 for name in ("backup", "database_made")
    )
    assert noted == pytest.approx(now, abs=60)
    assert 0 < made < noted
