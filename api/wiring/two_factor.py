"""The routes of the second factor, and of proving again who one is."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.two_factor.answering import Answering
from api.auth.two_factor.enrolment import Enrolment
from api.auth.two_factor.factors import SecondFactors
from api.auth.two_factor.reauthentication import Reauthentication
from api.auth.two_factor.routes import TwoFactorRoutes
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth``."""
    settings = parts.settings
    factors = SecondFactors(settings.mana_secret_key, parts.clock, settings.two_factor_window)
    answering = Answering(
        parts.database,
        parts.tokens,
        factors=factors,
        starting=parts.starting,
        attempts=parts.attempts,
        devices=parts.devices,
    )
    enrolment = Enrolment(parts.database, factors, parts.ended, recent=settings.recent_sign_in, site=settings.site_name)
    reauthentication = Reauthentication(parts.database, parts.hasher, parts.attempts, factors)
    return TwoFactorRoutes(answering, enrolment, reauthentication, parts.browsers, parts.sign_ins).router()
