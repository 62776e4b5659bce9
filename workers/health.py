"""Whether the worker does its work, by its parts, over HTTP on the port of the metrics."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson
from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import ASGIApp
from prometheus_client import make_asgi_app

from workers.worker import Worker

_SILENT_SECONDS: Final = 6.0
"""Without a whole round of leases for so long the database counts as away."""


def problems(worker: Worker) -> dict[str, str]:
    """The parts that do not work, each with what is wrong; empty when all do."""
    found = dict(worker.problems)
    if not worker.link.connected:
        found["rabbitmq"] = "not connected"
    elif worker.link.blocked or worker.publishing.blocked:
        found["rabbitmq"] = "blocked: out of memory or disk"
    elif not worker.publishing.connected:
        found["rabbitmq"] = "the connection for events is not there"
    found.update(_of_term(worker))
    worker.meters.blocked.set(worker.link.blocked or worker.publishing.blocked)
    return found


def _of_term(worker: Worker) -> dict[str, str]:
    term = worker.term
    answered = None if term is None else term.rounds.answered_at
    if term is None or answered is None:
        return {"postgresql": "no leases"}
    if asyncio.get_running_loop().time() - answered > _SILENT_SECONDS:
        return {"postgresql": "no answer"}
    deaf = sorted(term.holdings.epochs.keys() - worker.inlets.live.keys())
    return {"consumers": f"not consuming partitions {', '.join(map(str, deaf))}"} if deaf else {}


def routes(worker: Worker) -> list[tuple[str, ASGIApp]]:
    """The three addresses: live, ready, metrics."""

    @get
    async def live(_: object) -> AsgiResponse:
        return AsgiResponse(b'{"status":"live"}', 200, {"content-type": "application/json"})

    @get
    async def ready(_: object) -> AsgiResponse:
        found = problems(worker)
        body = orjson.dumps({"status": "not ready" if found else "ready", "problems": found})
        return AsgiResponse(body, 503 if found else 200, {"content-type": "application/json"})

    return [("/health/live", live), ("/health/ready", ready), ("/metrics", make_asgi_app())]
