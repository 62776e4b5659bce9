"""The routes of sign-in, sessions and tokens."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.registration import Registration
from api.auth.routes import AuthRoutes
from api.auth.session_list.routes import SessionRoutes
from api.auth.sign_in import SignIn
from api.wiring.mail_links import addressees
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth``, and the published keys at the root."""
    settings = parts.settings
    registration = Registration(
        parts.database,
        parts.hasher,
        parts.delivery,
        addressees(parts),
        signup_bonus=settings.credits_signup_bonus > 0,
        site=settings.site_name,
        bonus_at=settings.credits_signup_bonus_at,
    )
    sign_in = SignIn(
        parts.database,
        parts.hasher,
        parts.tokens,
        starting=parts.starting,
        attempts=parts.attempts,
        devices=parts.devices,
        secret=settings.mana_secret_key,
    )
    routes = AuthRoutes(
        registration, sign_in, parts.sessions, parts.tokens, parts.keyring, parts.browsers, parts.sign_ins
    )
    listing = SessionRoutes(parts.database, parts.sessions)
    rooms = (routes.router(), listing.router(), routes.well_known())
    return APIRouter(routes=[route for room in rooms for route in room.routes])
