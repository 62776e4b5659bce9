"""The administrators' routes of apps."""

from __future__ import annotations

from fastapi import APIRouter

from api.apps.admin.acting import AppActs
from api.apps.admin.routes import AppRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/admin/apps``."""
    return AppRoutes(AppActs(parts.database, parts.settings.recent_sign_in)).router()
