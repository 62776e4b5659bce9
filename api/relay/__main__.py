"""``python -m api.relay``: delivers the outbox's commands, tells users' events, rings for mails that are due, and takes
away what is over.

Health and metrics are on ``METRICS_PORT``.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from functools import partial

import uvloop
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import ValidationError
from starlette.types import ASGIApp

from api import errors
from api.broker.client import BrokerClient
from api.database import Database
from api.edge import Edge
from api.fitness import schema
from api.health import Health
from api.listening import CannotListen, opened
from api.metrics import BrokerMetrics, HttpMetrics, process_registry, show_pool
from api.relay.forwarding import Forwarding, RelayMetrics
from api.relay.ringing import Ringing, RingingMetrics
from api.relay.telling import Telling, TellingMetrics
from api.relay.watching import DatabaseMetrics, Watching
from api.running import running
from api.serving import serve
from api.settings import RelaySettings, complaints
from api.upkeep.sweeping import Ages, Sweeping, SweepingMetrics
from contracts import logs

_CONNECTIONS = 6
"""One for each loop, one for the look at health."""


async def _run(settings: RelaySettings, sockets: Sequence[socket.socket]) -> None:
    registry = process_registry()
    async with Database.connected(settings.database_url, _CONNECTIONS, "mana-relay") as database:
        show_pool(registry, database)
        watching = Watching(database, DatabaseMetrics(registry))
        broker = BrokerClient(settings.amqp_url, BrokerMetrics(registry))
        forwarding = Forwarding(database, broker, RelayMetrics(registry))
        telling = Telling(database, broker.put, TellingMetrics(registry))
        ringing = Ringing(database, broker.put, RingingMetrics(registry))
        ages = Ages(settings.security_events_expiry, settings.ended_sessions_expiry)
        sweeping = Sweeping(database, ages, SweepingMetrics(registry))
        health = Health({"postgresql": partial(schema.check, database), "rabbitmq": broker.check}, registry)
        loops = (forwarding.follow(), telling.follow(), ringing.follow(), sweeping.follow(), watching.follow())
        async with running(broker.keep_connected(), *loops):
            await serve(_application(health, registry), sockets)


def _application(health: Health, registry: CollectorRegistry) -> ASGIApp:
    app = FastAPI(openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    errors.install(app)
    app.include_router(health.router())
    return Edge(app, HttpMetrics(registry))


def main() -> int:
    """Exit status 0 after a stop that was asked for, 2 for wrong settings."""
    try:
        settings = RelaySettings()  # pyright: ignore[reportCallIssue] - the environment gives them
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    logs.configure("relay", settings.log_level, settings.log_format)
    try:
        uvloop.run(_run(settings, opened(settings.mana_bind_host, settings.metrics_port, "METRICS_PORT")))
    except CannotListen as error:
        sys.stderr.write(f"{error}.\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
