"""The routes of credits."""

from __future__ import annotations

from fastapi import APIRouter

from api.credits.alerts import AlertRoutes
from api.credits.operations import Operations
from api.credits.routes import CreditsRoutes
from api.credits.spending import Spending
from api.credits.store import CreditsStore
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/credits``."""
    store = CreditsStore(parts.database, parts.settings.credits_daily_free)
    spending = Spending(parts.broker, parts.delivery, parts.tries)
    rooms = (
        CreditsRoutes(store, Operations(store, parts.tries), spending).router(),
        AlertRoutes(store, spending).router(),
    )
    return APIRouter(routes=[route for room in rooms for route in room.routes])
