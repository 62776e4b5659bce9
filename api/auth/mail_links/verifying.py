"""Proves that a user reads the mails of the address that the user has."""

from __future__ import annotations

from api.auth import store as auth
from api.auth.mail_links import store
from api.auth.mail_links.bonus import SignupBonus
from api.auth.mail_links.spending import Spent, bad_link, present, spend
from api.auth.model import Client, SecurityEvent
from api.database import Connection, Database
from api.outbox.store import PendingCommand


class Verification:
    """Takes the links of mails that ask for it."""

    def __init__(self, database: Database, bonus: SignupBonus) -> None:
        self._database = database
        self._bonus = bonus

    async def verify(self, token: str, client: Client) -> None:
        """The address counts as proven. Raises ``Refusal`` (``invalid_request`` of ``token``), and ``Unavailable``."""
        presented = await present(self._database, "email_verify", token)
        async with self._database.as_user(presented.owner) as connection:
            spent = await spend(connection, presented)
            pending = None if spent is None else await self._prove(connection, spent, client)
        if spent is None:
            raise bad_link()
        await self._bonus.deliver(pending)

    async def _prove(self, connection: Connection, spent: Spent, client: Client) -> PendingCommand | None:
        user_id = spent.before.user.id
        await store.confirm_address(connection, spent.link.id)
        await auth.add_event(connection, SecurityEvent("email.verified", client, user_id))
        return await self._bonus.owe(connection, user_id)
