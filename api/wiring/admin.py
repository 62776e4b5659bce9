"""The routes of administration."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.admin.acting import Acts
from api.auth.admin.looking import Looks
from api.auth.admin.routes import AdminRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/admin``."""
    acts = Acts(parts.database, parts.delivery, parts.ended, parts.settings.recent_sign_in)
    return AdminRoutes(Looks(parts.database), acts).router()
