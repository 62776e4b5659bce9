"""Registration: the user, the password, the command that opens the account and the mail that asks for a proof of the
address are committed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import uuid_utils.compat

from api.auth import store
from api.auth.emails import Email
from api.auth.hashing import Hasher
from api.auth.mail_links import store as links
from api.auth.mail_links.asking import MailOrder, order
from api.auth.mail_links.requesting import Addressees
from api.auth.model import Client, Language, SecurityEvent, User
from api.auth.passwords.strength import weakness
from api.crash import crash
from api.database import Database
from api.errors import refuse_field
from api.outbox import store as outbox
from api.outbox.delivery import Delivery
from api.outbox.store import PendingCommand
from contracts.commands import Open

OPENING_KEY = "mana:open"


@dataclass(frozen=True)
class NewUser:
    """What somebody registers with."""

    email: Email
    password: str
    name: str | None
    language: Language


class Registration:
    """Makes users; ``signup_bonus`` says whether there is one, ``bonus_at`` when it is granted: as the account opens,
    or when an address is first proven. ``site`` is what the service is called."""

    def __init__(
        self,
        database: Database,
        hasher: Hasher,
        delivery: Delivery,
        addressees: Addressees,
        *,
        signup_bonus: bool,
        site: str,
        bonus_at: Literal["registration", "verified_email"] = "registration",
    ) -> None:
        self._database = database
        self._hasher = hasher
        self._delivery = delivery
        self._addressees = addressees
        self._opens_with_bonus = signup_bonus and bonus_at == "registration"
        self._bonus_waits = signup_bonus and bonus_at == "verified_email"
        self._site = site

    async def register(self, new: NewUser, client: Client) -> User:
        """Returns once the account is open in the ledger, or 2 s after the user was committed.

        Raises ``Refusal`` (``email_taken``, ``invalid_request`` for a weak password), and ``Unavailable``.
        """
        if wrong := weakness(new.password, new.email, new.name, self._site):
            raise refuse_field("password", wrong)
        password_hash = await self._hasher.hash(new.password)
        user_id = uuid_utils.compat.uuid7()
        opening = self._opening(user_id)
        async with self._database.as_user(user_id) as connection:
            user = await store.register(
                connection, user_id, new.email, name=new.name, language=new.language, password_hash=password_hash
            )
            await outbox.add(connection, opening)
            # Beyond the limit there is no mail, but a user: who registers and deletes over and over fills no mailbox.
            if await self._addressees.admit("verify", new.email):
                await order(connection, MailOrder("verify", user_id))
            if self._bonus_waits:
                await links.note_bonus(connection, user_id)
            await store.add_event(connection, SecurityEvent("user.registered", client, user_id))
        crash("signup_after_commit")
        await self._delivery.deliver_now(opening)
        return user

    def _opening(self, user_id: UUID) -> PendingCommand:
        command = Open(user_id=str(user_id), idempotency_key=OPENING_KEY, signup_bonus=self._opens_with_bonus)
        return PendingCommand.of(command)
