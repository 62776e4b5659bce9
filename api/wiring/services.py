"""The routes by which apps prove themselves, and by which services see users."""

from __future__ import annotations

from fastapi import APIRouter

from api.apps.clients import Clients
from api.apps.introspection import Introspection
from api.apps.token_routes import TokenRoutes
from api.apps.user_routes import UserRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth`` and ``/users``."""
    clients = Clients(parts.database, parts.settings.mana_secret_key, parts.clock)
    introspection = Introspection(parts.tokens, parts.sessions, parts.services, parts.keys)
    tokens = TokenRoutes(clients, parts.tokens, introspection)
    rooms = (tokens.router(), UserRoutes(parts.database).router())
    return APIRouter(routes=[route for room in rooms for route in room.routes])
