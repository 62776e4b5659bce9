"""The routes of health and metrics."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter

from api.fitness import schema
from api.health import Health
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """At the root."""
    checks = {
        "process": parts.leaving.check,
        "postgresql": partial(schema.check, parts.database),
        "rabbitmq": parts.broker.check,
    }
    return Health(checks, parts.registry).router()
