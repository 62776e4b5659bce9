"""Where every session begins, whatever proved its user; and what a client is given for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from api.auth import store
from api.auth.devices import Devices
from api.auth.model import Client, Device, Lifetimes, SecurityEvent, Standing, User
from api.auth.refresh_tokens import RefreshToken
from api.auth.tokens import Tokens
from api.database import Connection

SESSIONS_MAX: Final = 50
"""Of one user at once, where nobody says otherwise."""


@dataclass(frozen=True)
class Started:
    """A session that goes on, with its newest refresh token; ``expires_at`` is its end, however often refreshed."""

    user: User
    session_id: UUID
    token: RefreshToken
    expires_at: datetime


@dataclass(frozen=True)
class Grant:
    """What a sign-in or a refresh gives: tokens, and whose they are.

    In seconds: ``expires_in`` of the access token, ``ends_in`` of the session, however often it is refreshed.
    """

    user: User
    access_token: str
    refresh_token: str
    expires_in: int
    ends_in: int


class Starting:
    """Begins sessions; of one user's that live at once, the oldest makes room."""

    def __init__(self, lifetimes: Lifetimes, devices: Devices, sessions_max: int = SESSIONS_MAX) -> None:
        self._lifetimes = lifetimes
        self._devices = devices
        self._sessions_max = sessions_max

    async def start(self, connection: Connection, standing: Standing, client: Client, device: Device) -> Started:
        """A new session, committed with whatever else the transaction does.

        ``standing`` was entered in this transaction, is not banned, and of the epoch in which the user's proof was
        looked at: both are for the caller to see to.
        """
        user, token = standing.user, RefreshToken.new()
        await store.queue_for_start(connection, user.id)
        session_id, expires_at = await store.start_session(
            connection,
            user.id,
            token.hash,
            client=client,
            device_name=device.name,
            device_hash=self._devices.hash_of(device),
            lifetimes=self._lifetimes,
        )
        await self._devices.remember(connection, user.id, device)
        await store.add_event(connection, SecurityEvent("sign_in.succeeded", client, user.id, session_id))
        await self._make_room(connection, user.id, session_id, client)
        return Started(user, session_id, token, expires_at)

    async def _make_room(self, connection: Connection, user_id: UUID, newest: UUID, client: Client) -> None:
        for put_out in await store.end_surplus_sessions(connection, user_id, newest, self._sessions_max):
            await store.add_event(connection, SecurityEvent("session.put_out", client, user_id, put_out))


async def grant(tokens: Tokens, started: Started) -> Grant:
    """The tokens of a session, after the transaction that began or continued it. Raises ``Unavailable``."""
    user, until = started.user, started.expires_at
    access = await tokens.issue(user.id, user.email, user.role, started.session_id, until)
    return Grant(user, access.text, started.token.text, access.expires_in, tokens.seconds_until(until))
