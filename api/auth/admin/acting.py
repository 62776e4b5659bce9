"""What administrators do to users: one transaction for each act, which also writes it down, and the account told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from api.auth import standing
from api.auth.admin import store
from api.auth.admin.acts import Verdict, on_ban, on_role, on_unban
from api.auth.admin.model import Administrator, KnownUser, Role, WholeUser
from api.auth.ended_sessions import EndedSessions
from api.auth.recent import require_recent
from api.auth.sessions import not_signed_in_any_more
from api.auth.store import is_session_live
from api.database import Connection, Database
from api.errors import Refusal, refuse
from api.outbox.delivery import Delivery
from api.outbox.store import PendingCommand
from contracts.commands import Freeze, Unfreeze

BAN_KEY: Final = "mana:ban:"
UNBAN_KEY: Final = "mana:unban:"


class Acts:
    """``recent`` is how lately an administrator must have signed in to change a role."""

    def __init__(self, database: Database, delivery: Delivery, ended: EndedSessions, recent: timedelta) -> None:
        self._database = database
        self._delivery = delivery
        self._ended = ended
        self._recent = recent

    async def ban(self, by: Administrator, user_id: UUID, reason: str) -> WholeUser:
        """Shuts a user out: sessions, tokens, what waits in the ledger's queues. A second ban changes nothing.

        Raises ``Refusal`` (``unauthorized``, ``forbidden``, ``not_found``), and ``Unavailable``.
        """
        ended: list[UUID] = []
        async with self._on(by, user_id) as (connection, user):
            due = _due(on_ban(by.user_id, user))
            if due:
                ended = await store.set_ban(connection, user_id, reason)
                event_id = await store.add_act(connection, by, "user.banned", user_id, details={"reason": reason})
                freeze = Freeze(user_id=str(user_id), idempotency_key=f"{BAN_KEY}{event_id}", reason=reason)
                await store.add_command(connection, PendingCommand.of(freeze))
            whole = await _whole(connection, user_id)
        await self._tell(user_id, ended, commanded=due)
        return whole

    async def unban(self, by: Administrator, user_id: UUID, reason: str) -> WholeUser:
        """Lets a user in again. Raises as ``ban`` does."""
        async with self._on(by, user_id) as (connection, user):
            due = _due(on_unban(by.user_id, user))
            if due:
                await store.set_ban(connection, user_id, None)
                event_id = await store.add_act(connection, by, "user.unbanned", user_id, details={"reason": reason})
                unfreeze = Unfreeze(user_id=str(user_id), idempotency_key=f"{UNBAN_KEY}{event_id}", reason=reason)
                await store.add_command(connection, PendingCommand.of(unfreeze))
            whole = await _whole(connection, user_id)
        await self._tell(user_id, (), commanded=due)
        return whole

    async def change_role(self, by: Administrator, user_id: UUID, role: Role) -> WholeUser:
        """Gives a user another role, and ends the sessions whose tokens tell the old one.

        Raises as ``ban`` does, and ``forbidden`` with ``{"reauthenticate": true}`` without a recent sign-in.
        """
        ended: list[UUID] = []
        async with self._on(by, user_id, recent=True) as (connection, user):
            if _due(on_role(by.user_id, user, role)):
                ended = await store.set_role(connection, user_id, role)
                details = {"from": user.user.role, "to": role}
                await store.add_act(connection, by, "user.role_changed", user_id, details=details)
            whole = await _whole(connection, user_id)
        await self._tell(user_id, ended)
        return whole

    async def end_sessions(self, by: Administrator, user_id: UUID) -> None:
        """Ends all of a user's sessions, and the keys of their scripts. Raises as ``ban`` does."""
        async with self._on(by, user_id) as (connection, _):
            ended = await store.end_sessions(connection, user_id)
            details = {"sessions": str(len(ended))}
            await store.add_act(connection, by, "admin.sessions_ended", user_id, details=details)
            for key_id in await store.end_keys(connection, user_id):
                told = {"keyId": key_id, "because": "admin.sessions_ended"}
                await store.add_act(connection, by, "api_key.revoked", user_id, details=told)
        await self._tell(user_id, ended)

    async def end_session(self, by: Administrator, user_id: UUID, session_id: UUID) -> None:
        """Ends one of a user's sessions. Raises as ``ban`` does; ``not_found`` where it is not theirs or has ended."""
        async with self._on(by, user_id) as (connection, _):
            ended = await store.end_sessions(connection, user_id, session_id)
            if not ended:
                raise refuse("not_found", "the user has no such session")
            await store.add_act(connection, by, "admin.sessions_ended", user_id, session_id=session_id)
        await self._tell(user_id, ended)

    @asynccontextmanager
    async def _on(
        self, by: Administrator, user_id: UUID, *, recent: bool = False
    ) -> AsyncGenerator[tuple[Connection, KnownUser]]:
        """A transaction with the user locked, of an administrator who is signed in still: whoever was shut out while
        waiting for the lock does nothing any more."""
        async with store.as_administrator(self._database, by.user_id) as connection:
            user = await store.lock_user(connection, user_id)
            await standing.enter(connection, by.user_id)
            if recent:
                await require_recent(connection, by.session_id, self._recent)
            elif not await is_session_live(connection, by.session_id, by.user_id):
                raise not_signed_in_any_more()
            if user is None:
                raise not_found()
            yield connection, user

    async def _tell(self, user_id: UUID, ended: Iterable[UUID], *, commanded: bool = False) -> None:
        """After the COMMIT: this process knows the ends at once, and the account is told what waits for it."""
        self._ended.add_all(ended)
        if commanded:
            await self._delivery.deliver_in_order(user_id)


def not_found() -> Refusal:
    """The answer for a user that nobody is."""
    return refuse("not_found", "there is no such user")


def _due(verdict: Verdict) -> bool:
    """Whether there is anything to do. Raises ``Refusal`` for an act on oneself."""
    if verdict is Verdict.ON_ONESELF:
        raise refuse("forbidden", "administrators do not do this to themselves")
    return verdict is Verdict.DUE


async def _whole(connection: Connection, user_id: UUID) -> WholeUser:
    whole = await store.find_whole(connection, user_id)
    if whole is None:
        raise LookupError("a user that is locked is gone")
    return whole
