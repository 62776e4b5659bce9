"""Mails that anybody may ask for by typing an address: the answer and the work are the same, whoever has it."""

from __future__ import annotations

from typing import Literal

from api.auth.emails import Email
from api.auth.mail_links.asking import MailOrder, order
from api.database import Database
from api.throttle.charging import charge
from api.throttle.classes import LimitClass
from api.throttle.limiter import Charge, Limiter
from contracts.mails import MailKind


class Addressees:
    """Counts the mails to each typed address, known or not, so that nobody's mailbox is filled through us. Each kind by
    itself: what strangers ask for of one keeps nobody from another."""

    def __init__(self, limiter: Limiter, limit: LimitClass) -> None:
        self._limiter = limiter
        self._limit = limit

    async def charge(self, kind: MailKind, email: Email) -> None:
        """One mail more to the address. Raises ``Refusal`` (``rate_limited``), and ``Unavailable``."""
        await charge(self._limiter, self._charge(kind, email))

    async def admit(self, kind: MailKind, email: Email) -> bool:
        """Whether one mail more may go to the address, which is counted then. Raises ``Unavailable``."""
        return (await self._limiter.take(self._charge(kind, email))).allowed

    def _charge(self, kind: MailKind, email: Email) -> Charge:
        return Charge(self._limit, f"{kind} {email.key}".encode())


class MailRequests:
    """Orders mails to typed addresses; the mail worker finds out whether anybody has them."""

    def __init__(self, database: Database, addressees: Addressees) -> None:
        self._database = database
        self._addressees = addressees

    async def request(self, kind: Literal["reset_requested", "verify_requested"], email: Email) -> None:
        """Beyond the address's limit nothing is ordered, and nobody is told: the last mail's link stays good, so that
        strangers who ask keep nobody from it. Raises ``Unavailable``."""
        if not await self._addressees.admit(kind, email):
            return
        async with self._database.statement() as connection:
            await order(connection, MailOrder(kind, email=email))
