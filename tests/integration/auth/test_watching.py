"""The relay tells how full the database server is: of everybody's sessions, though it may not look at them."""

from __future__ import annotations

from contextlib import AsyncExitStack

import asyncpg
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
