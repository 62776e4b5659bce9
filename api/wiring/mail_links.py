"""What links in mails do, and how they are asked for."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth.mail_links import pages
from api.auth.mail_links.bonus import SignupBonus
from api.auth.mail_links.moving import AddressChange
from api.auth.mail_links.requesting import Addressees, MailRequests
from api.auth.mail_links.routes import AddressRoutes
from api.auth.mail_links.verifying import Verification
from api.wiring.parts import Parts


def router(parts: Parts) -> APIRouter:
    """Below ``/auth/email``, and at the root the pages that links lead to."""
    verification = Verification(parts.database, signup_bonus(parts))
    change = AddressChange(
        parts.database,
        addressees(parts),
        signup_bonus(parts),
        parts.ended,
        recent=parts.settings.recent_sign_in,
    )
    addresses = AddressRoutes(verification, requests(parts), change)
    return APIRouter(routes=[*addresses.router().routes, *pages.router().routes])


def addressees(parts: Parts) -> Addressees:
    """Who counts the mails to an address."""
    return Addressees(parts.throttle.limiter, parts.throttle.classes["mail_addressee"])


def requests(parts: Parts) -> MailRequests:
    """What orders mails to typed addresses."""
    return MailRequests(parts.database, addressees(parts))


def signup_bonus(parts: Parts) -> SignupBonus:
    """What grants the bonus of a first proof."""
    return SignupBonus(parts.settings.credits_signup_bonus, parts.delivery)
