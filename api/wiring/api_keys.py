"""The routes of users' keys."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.api_keys.keeping import KeyKeeping
from api.auth.api_keys.routes import KeyRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth/api-keys``."""
    return KeyRoutes(KeyKeeping(parts.database, parts.clock, parts.settings.recent_sign_in)).router()
