"""Whether the process lives, and whether it can serve: with the failing part named while it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from api.errors import Unavailable, problem
from api.problems_documented import answers
from contracts.errors import Error

CHECK_SECONDS_MAX: Final = 1.5
"""Probes of orchestrators and balancers give up soon after."""

Check = Callable[[], Awaitable[None]]
"""Returns while its part works, raises ``Unavailable`` where it does not."""


class Leaving:
    """Whether the process was told to stop: it may serve on for a while, and is not to be sent anything new."""

    def __init__(self) -> None:
        self._leaving = False

    def begin(self) -> None:
        """It was told."""
        self._leaving = True

    async def check(self) -> None:
        """A check of its own. Raises ``Unavailable`` once it was told."""
        if self._leaving:
            raise Unavailable("process", "stops")


class _Probe:
    """A part's check, whoever asks meanwhile asking along: so a part that hangs is waited for by one check and not by
    ever more of them, each holding a connection."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._underway: asyncio.Task[str | None] | None = None

    async def reason(self) -> str | None:
        """Why the part does not work; ``None`` where it does. Answers in bounded time.

        The check itself is left to end: a driver that is cancelled may take as long to let go of its connection.
        """
        underway = self._underway
        if underway is None or underway.done():
            underway = self._underway = asyncio.create_task(_reason(self._check))
        await asyncio.wait({underway}, timeout=CHECK_SECONDS_MAX)
        return underway.result() if underway.done() else "does not answer"


class Health:
    """The routes of health and metrics, at the root; ``checks`` by the name of their part."""

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry) -> None:
        self._probes = {name: _Probe(check) for name, check in checks.items()}
        self._registry = registry

    def router(self) -> APIRouter:
        """``/health/live``, ``/health/ready``, ``/metrics``."""
        router = APIRouter(tags=["operation"])
        router.add_api_route("/health/live", self.live, methods=["GET"])
        router.add_api_route("/health/ready", self.ready, methods=["GET"], responses=answers(limited=False))
        router.add_api_route("/metrics", self.metrics, methods=["GET"], include_in_schema=False)
        return router

    async def live(self) -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    async def ready(self) -> Response:
        """Every part that it needs works; 503 names in ``details.failing`` each that does not."""
        reasons = await asyncio.gather(*(probe.reason() for probe in self._probes.values()))
        failing = {name: reason for name, reason in zip(self._probes, reasons, strict=True) if reason is not None}
        if failing:
            message = "; ".join(f"{name}: {reason}" for name, reason in failing.items())
            return problem(Error("overloaded", message, {"failing": sorted(failing)}))
        return Response(msgspec.json.encode({"status": "ready"}), media_type="application/json")

    async def metrics(self) -> Response:
        """Counters and histograms in Prometheus's text format."""
        return Response(generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_LATEST})


async def _reason(check: Check) -> str | None:
    try:
        await check()
    except Unavailable as error:
        return str(error)
    return None
