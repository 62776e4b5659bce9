"""Looks at the database server itself: how near its connections are to their limit, and how large our database is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Gauge

from api.database import Database, one
from api.running import again_and_again
from api.sql import Statements

EVERY_SECONDS: Final = 15.0
_SQL: Final = Statements(Path(__file__).parent / "sql")

_log = structlog.get_logger(__name__)


class DatabaseMetrics:
    """What one process tells for all: the figures are the server's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge(
            "mana_database_connections", "Sessions at the database server, ours or not", registry=registry
        )
        self.connections_max = Gauge(
            "mana_database_connections_max",
            "As many as the server takes from all but superusers",
            registry=registry,
        )
        self.size = Gauge("mana_database_bytes", "Size of our database", registry=registry)


class Watching:
    """Run ``follow`` as a task for as long as the process lives."""

    def __init__(self, database: Database, metrics: DatabaseMetrics) -> None:
        self._database = database
        self._metrics = metrics

    async def follow(self) -> None:
        """Looks again and again; ends only when it is cancelled."""
        await again_and_again(
            self.look, EVERY_SECONDS, lambda reason: _log.warning("the database is not measured", reason=reason)
        )

    async def look(self) -> None:
        """Looks once. Raises ``Unavailable``."""
        async with self._database.transaction() as connection:
            figures = one(await connection.fetchrow(_SQL["measure_database"]))
        self._metrics.connections.set(figures["connections"])
        self._metrics.connections_max.set(figures["connections_max"])
        self._metrics.size.set(figures["bytes"])
