"""Health and metrics over HTTP: live while the process runs, ready while every part of it works."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import ASGIApp, Scope
from prometheus_client import make_asgi_app

Problems = Callable[[], dict[str, str]]
"""The parts that do not work now, each with what is wrong; empty when all do."""


def routes(problems: Problems) -> list[tuple[str, ASGIApp]]:
    """The three addresses; ``/health/ready`` is 503 with the failing parts named."""

    @get
    async def live(_: Scope) -> AsgiResponse:
        return _json({"status": "live"}, 200)

    @get
    async def ready(_: Scope) -> AsgiResponse:
        found = problems()
        return _json({"status": "not ready" if found else "ready", "problems": found}, 503 if found else 200)

    return [("/health/live", live), ("/health/ready", ready), ("/metrics", make_asgi_app())]


def _json(body: object, status: int) -> AsgiResponse:
    return AsgiResponse(orjson.dumps(body), status, {"content-type": "application/json"})
