"""What users see, change, take along and delete of themselves."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.me.deletion import Deletion
from api.auth.me.export import Exports
from api.auth.me.profile import Profiles
from api.auth.me.routes import MeRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth/me``."""
    settings, database = parts.settings, parts.database
    exports = Exports(database, settings.recent_sign_in)
    deletion = Deletion(database, parts.delivery, parts.ended, settings.recent_sign_in)
    return MeRoutes(Profiles(database), exports, deletion).router()
