"""Whether the process lives, and whether it can serve: with the failing part named while it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from api.errors import Unavailable, problem
from api.problems_documented import answers
from contracts.errors import Error

Check = Callable[[], Awaitable[None]]
"""Returns while its part works, raises ``Unavailable`` where it does not."""


@dataclass(frozen=True)
class Health:
    """The routes of health and metrics, at the root; ``checks`` by the name of their part."""

    checks: Mapping[str, Check]
    registry: CollectorRegistry

    def router(self) -> APIRouter:
        """``/health/live``, ``/health/ready``, ``/metrics``."""
        router = APIRouter(tags=["operation"])
        router.add_api_route("/health/live", self.live, methods=["GET"])
        router.add_api_route("/health/ready", self.ready, methods=["GET"], responses=answers(503))
        router.add_api_route("/metrics", self.metrics, methods=["GET"], include_in_schema=False)
        return router

    async def live(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    async def ready(self) -> Response:
        """Every part that it needs works; 503 names in ``details.failing`` each that does not."""
        reasons = await asyncio.gather(*(_reason(check) for check in self.checks.values()))
        failing = {name: reason for name, reason in zip(self.checks, reasons, strict=True) if reason is not None}
        if failing:
            message = "; ".join(f"{name}: {reason}" for name, reason in failing.items())
            return problem(Error("overloaded", message, {"failing": sorted(failing)}))
        return Response(msgspec.json.encode({"status": "ready"}), media_type="application/json")

    async def metrics(self) -> Response:
        """Counters and histograms in Prometheus's text format."""
        return Response(generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_LATEST})


async def _reason(check: Check) -> str | None:
    try:
        await check()
    except Unavailable as error:
        return str(error)
    return None
