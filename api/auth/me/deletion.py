"""The end of a user: who they are goes at once, what was written about them is blanked in steps, and the ledger keeps
its figures under the id."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from api.auth import emails, standing
from api.auth import store as auth
from api.auth.ended_sessions import EndedSessions
from api.auth.ending import end_sessions
from api.auth.mail_links.asking import MailOrder, order
from api.auth.me import store
from api.auth.model import NOWHERE, SecurityEvent, Standing
from api.auth.recent import require_recent
from api.auth.tokens import Claims
from api.database import Database
from api.errors import refuse
from api.outbox import store as outbox
from api.outbox.delivery import Delivery
from api.outbox.store import PendingCommand
from contracts.commands import Freeze

_KEY: Final = "mana:delete"
"""Idempotency key of the command that freezes the account: one for each user."""


class Deletion:
    """Deletes users on their own request, who have signed in within ``recent``."""

    def __init__(self, database: Database, delivery: Delivery, ended: EndedSessions, recent: timedelta) -> None:
        self._database = database
        self._delivery = delivery
        self._ended = ended
        self._recent = recent

    async def delete(self, claims: Claims) -> None:
        """Returns once the account is frozen in the ledger, or 2 s after the user was deleted.

        Uses that wait in the ledger's queues are refused from the commit on. Raises ``Refusal`` (``forbidden`` without
        a recent sign-in, and for the last administrator), and ``Unavailable``.
        """
        freeze = _freeze(claims.user_id)
        async with self._database.as_user(claims.user_id) as connection:
            if await store.is_last_admin(connection):
                raise refuse("forbidden", "the last administrator stays: make another one first")
            now = await standing.seize(connection, claims.user_id)
            if now is None:
                raise refuse("unauthorized", "the user is deleted already")
            await require_recent(connection, claims.session_id, self._recent)
            ended = await end_sessions(connection, claims.user_id, "deleted")
            if now.user.email_verified:
                await order(connection, _farewell(now))
            await outbox.add(connection, freeze)
            # Nothing is written down any more of where a deleted user was.
            await auth.add_event(connection, SecurityEvent("user.deleted", NOWHERE, claims.user_id))
            await store.delete(connection)
        self._ended.add_all(ended)
        await self._delivery.deliver_in_order(claims.user_id)


def _farewell(deleted: Standing) -> MailOrder:
    """By address: an order that names the user would go with the user."""
    address = emails.known(deleted.user.email)
    return MailOrder("account_deleted", email=address, details={"language": deleted.language})


def _freeze(user_id: UUID) -> PendingCommand:
    return PendingCommand.of(Freeze(user_id=str(user_id), idempotency_key=_KEY, reason="deleted"))
