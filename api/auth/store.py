"""Users, passwords, sessions and security events in PostgreSQL.

Each method works inside a transaction that its caller opened, as the user whose rows they are, so that callers decide
what is committed together.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import uuid_utils.compat

from api.auth.emails import Email
from api.auth.model import (
    Client,
    EndReason,
    Language,
    Lifetimes,
    PresentedToken,
    SecurityEvent,
    SignInCandidate,
    User,
)
from api.database import Connection, one
from api.errors import refuse
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


async def register(
    connection: Connection, user_id: UUID, email: Email, *, name: str | None, language: Language, password_hash: str
) -> User:
    """Adds a user with a password. Raises ``Refusal`` (``email_taken``)."""
    row = await connection.fetchrow(_SQL["register_user"], user_id, email.address, email.key, name, language)
    if row is None:
        raise refuse("email_taken", "somebody has registered with this e-mail address")
    await connection.execute(_SQL["add_password"], user_id, password_hash)
    return User(**row)


async def find_sign_in(connection: Connection, email: Email, device_hash: bytes | None) -> SignInCandidate | None:
    """Who has this address, and whether they have signed in from that device, in a transaction without a user."""
    row = await connection.fetchrow(_SQL["find_sign_in"], email.key, device_hash)
    return None if row is None else SignInCandidate(**row)


async def replace_password_hash(connection: Connection, user_id: UUID, old: str, new: str) -> None:
    """Stores the same password's hash by today's parameters, unless it was changed meanwhile."""
    await connection.execute(_SQL["replace_password_hash"], user_id, old, new)


async def add_event(connection: Connection, event: SecurityEvent) -> None:
    """Writes one security event; it can never be changed again."""
    await connection.execute(
        _SQL["add_event"],
        uuid_utils.compat.uuid7(),
        event.user_id,
        event.session_id,
        event.type,
        event.subject_hash,
        event.client.address,
        event.client.user_agent,
        None if event.details is None else msgspec.json.encode(event.details).decode(),
    )


async def start_session(
    connection: Connection,
    user_id: UUID,
    token_hash: bytes,
    *,
    client: Client,
    device_name: str | None,
    device_hash: bytes | None,
    lifetimes: Lifetimes,
) -> tuple[UUID, datetime]:
    """Starts a session with its first refresh token; returns its id, and when it ends at the latest."""
    session_id = uuid_utils.compat.uuid7()
    row = await connection.fetchrow(
        _SQL["start_session"],
        session_id,
        user_id,
        device_hash,
        device_name,
        client.address,
        client.user_agent,
        lifetimes.session,
    )
    await add_refresh_token(connection, session_id, token_hash, lifetimes)
    return session_id, one(row)["expires_at"]


async def queue_for_start(connection: Connection, user_id: UUID) -> None:
    """Waits until nobody else is about to start a session of that user, and keeps others waiting until the commit."""
    await connection.execute(_SQL["queue_for_start"], user_id)


async def end_surplus_sessions(connection: Connection, user_id: UUID, newest: UUID, most: int) -> list[UUID]:
    """Ends a user's oldest sessions until ``most`` live, ``newest`` among them, and returns which ended."""
    rows = await connection.fetch(_SQL["end_surplus_sessions"], user_id, newest, most)
    return [row["id"] for row in rows]


async def add_refresh_token(connection: Connection, session_id: UUID, token_hash: bytes, lifetimes: Lifetimes) -> None:
    """Adds the token of the session's present generation."""
    await connection.execute(_SQL["add_refresh_token"], token_hash, session_id, lifetimes.refresh)


async def is_session_live(connection: Connection, session_id: UUID, user_id: UUID) -> bool:
    """Whether that user's session is neither ended nor expired, and the user not banned. One statement, no user set."""
    return bool(await connection.fetchval(_SQL["is_session_live"], session_id, user_id))


async def end_session(connection: Connection, session_id: UUID, reason: EndReason) -> bool:
    """Ends a session for good; every front process learns it from the database. False where it had ended before."""
    return await connection.fetchval(_SQL["end_session"], session_id, reason) is not None


async def find_refresh_token_owner(connection: Connection, token_hash: bytes) -> UUID | None:
    """Whose refresh token it is, in a transaction without a user."""
    return await connection.fetchval(_SQL["find_refresh_token_owner"], token_hash)


async def lock_presented_token(connection: Connection, token_hash: bytes) -> PresentedToken | None:
    """Locks the token's session, and reads both; ``None`` where the session has ended."""
    if await connection.fetchval(_SQL["lock_session_of_token"], token_hash) is None:
        return None
    row = await connection.fetchrow(_SQL["read_presented_token"], token_hash)
    return None if row is None else PresentedToken(**row)


async def rotate(
    connection: Connection, session_id: UUID, *, spent: bytes, successor: bytes, sealed: bytes, lifetimes: Lifetimes
) -> None:
    """Spends the token with hash ``spent``; the one with hash ``successor`` takes its place."""
    await connection.execute(_SQL["rotate"], session_id, spent, successor, sealed, lifetimes.refresh)
