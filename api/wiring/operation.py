"""The routes of health and metrics."""

from __future__ import annotations

from fastapi import APIRouter

from api.health import Health
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """At the root."""
    return Health({"postgresql": parts.database.ping, "rabbitmq": parts.broker.check}, parts.registry).router()
