"""How passwords are changed and reset."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.passwords.changing import PasswordChange
from api.auth.passwords.resetting import PasswordReset
from api.auth.passwords.routes import PasswordRoutes
from api.wiring.mail_links import requests, signup_bonus
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth/password``."""
    site = parts.settings.site_name
    changing = PasswordChange(parts.database, parts.hasher, parts.attempts, parts.ended, site=site)
    resetting = PasswordReset(parts.database, parts.hasher, parts.attempts, parts.ended, signup_bonus(parts), site=site)
    return PasswordRoutes(changing, resetting, requests(parts)).router()
