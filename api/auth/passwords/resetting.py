"""Whoever reads a user's mail sets another password. No session begins: a second factor stays asked for."""

from __future__ import annotations

from dataclasses import replace

from api.auth import emails, standing
from api.auth import store as auth
from api.auth.api_keys.ending import end_keys
from api.auth.emails import Email
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.hashing import Hasher
from api.auth.mail_links import store as links
from api.auth.mail_links.asking import tell
from api.auth.mail_links.bonus import SignupBonus
from api.auth.mail_links.spending import Aftermath, Presented, Spent, bad_link, present, spend
from api.auth.model import Client, SecurityEvent
from api.auth.passwords import store
from api.auth.passwords.strength import weakness
from api.database import Connection, Database
from api.errors import refuse_field
from api.throttle.attempts import Attempts


class PasswordReset:
    """Takes the links of mails that ask for a new password; ``site`` is what the service is called."""

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        attempts: Attempts,
        ended: EndedSessions,
        bonus: SignupBonus,
        *,
        site: str,
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._attempts = attempts
        self._ended = ended
        self._bonus = bonus
        self._site = site

    async def reset(self, token: str, password: str, client: Client) -> None:
        """The password is in force, the address proven; sessions, devices, keys and pending links of before
        are dead.

        A link is not spent by a weak password. Raises ``Refusal`` (``invalid_request`` of ``token`` or
        ``newPassword``), and ``Unavailable``.
        """
        presented = await present(self._database, "password_reset", token)
        email = await self._judge(presented, password)
        password_hash = await self._hasher.hash(password)
        async with self._database.as_user(presented.owner) as connection:
            spent = await spend(connection, presented)
            done = None if spent is None else await self._replace(connection, spent, password_hash, client)
        if done is None:
            raise bad_link()
        self._ended.add_all(done.ended)
        await self._attempts.forget(email.key.encode())
        await self._bonus.deliver(done.bonus)

    async def _judge(self, presented: Presented, password: str) -> Email:
        """The user's address. Raises ``Refusal`` for a dead link, before it costs a hash, and for a weak password."""
        async with self._database.as_user(presented.owner) as connection:
            link = await links.find(connection, presented.purpose, presented.token_hash)
            known = await store.find(connection, presented.owner)
        if link is None or known is None:
            raise bad_link()
        email = emails.known(known.email)
        if wrong := weakness(password, email, known.name, self._site):
            raise refuse_field("newPassword", wrong)
        return email

    async def _replace(self, connection: Connection, spent: Spent, password_hash: str, client: Client) -> Aftermath:
        user = spent.before.user
        await store.put(connection, user.id, password_hash)
        await links.confirm_address(connection, spent.link.id)
        ended = await end_sessions(connection, user.id, "password")
        await links.void_others(connection, user.id, spent.link.id)
        await store.forget_devices(connection, user.id)
        await standing.bump(connection, user.id)
        event = SecurityEvent("password.reset", client, user.id)
        await auth.add_event(connection, event)
        await end_keys(connection, user.id, event)
        await tell(connection, "password_changed", replace(user, email_verified=True))
        return Aftermath(ended, await self._bonus.owe(connection, user.id))
