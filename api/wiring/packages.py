"""The administrators' routes of packages."""

from __future__ import annotations

from fastapi import APIRouter

from api.credits.packages.acting import PackageActs
from api.credits.packages.routes import PackageRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/admin/packages``."""
    return PackageRoutes(PackageActs(parts.database)).router()
