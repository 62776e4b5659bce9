"""Looks at the database server itself: how near its connections are to their limit, how large our database is, and
whether it is kept: backups, archived WAL."""

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
        self.made_at = Gauge(
            "mana_database_made_timestamp_seconds", "When its first migration was applied", registry=registry
        )
        self.backup_at = Gauge(
            "mana_backup_timestamp_seconds",
            "When the last backup ended that was noted; 0 where none was",
            registry=registry,
        )
        self.archived_at = Gauge(
            "mana_wal_archived_timestamp_seconds",
            "When PostgreSQL last archived a segment of its WAL; 0 where it never did",
            registry=registry,
        )
        self.archiving_fails = Gauge(
            "mana_wal_archiving_fails", "1 while archiving has failed since it last succeeded", registry=registry
        )


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
        self._metrics.made_at.set(figures["made_at"])
        self._metrics.backup_at.set(figures["backup_at"])
        self._metrics.archived_at.set(figures["archived_at"])
        self._metrics.archiving_fails.set(figures["archiving_fails"])
