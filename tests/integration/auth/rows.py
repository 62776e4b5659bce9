"""Users, sessions, tokens and mails as rows, made by the owner; and transactions of the front as some user."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import uuid_utils.compat


def new_id() -> UUID:
    """An id, in the order of making."""
    return uuid_utils.compat.uuid7()


@asynccontextmanager
async def acting(connection: asyncpg.Connection, user_id: UUID) -> AsyncGenerator[asyncpg.Connection]:
    """A transaction of the front for one user."""
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.user_id', $1, true)", str(user_id))
        yield connection


async def add_user(owner: asyncpg.Connection, email: str | None = None, *, role: str = "user") -> UUID:
    """A user with a password."""
    user_id, address = new_id(), email or f"u{secrets.token_hex(6)}@example.com"
    await owner.execute(
        "INSERT INTO auth.users (id, email, email_key, role) VALUES ($1, $2, lower($2), $3)", user_id, address, role
    )
    await owner.execute("INSERT INTO auth.passwords (user_id, hash) VALUES ($1, '$argon2id$v=19$m=8$s$h')", user_id)
    return user_id


async def add_session(owner: asyncpg.Connection, user_id: UUID, life: str = "1 day") -> UUID:
    """A session that lives as long as told."""
    session_id = new_id()
    await owner.execute(
        "INSERT INTO auth.sessions (id, user_id, created_at, expires_at)"
        " VALUES ($1, $2, least(now(), now() + $3::text::interval) - interval '1 s', now() + $3::text::interval)",
        session_id,
        user_id,
        life,
    )
    return session_id


async def add_token(
    owner: asyncpg.Connection, user_id: UUID, purpose: str, email: str | None = None, life: str = "30 min"
) -> UUID:
    """A token that a mail or a challenge has brought to its user, of the user's present epoch."""
    token_id = new_id()
    await owner.execute(
        "INSERT INTO auth.verification_tokens"
        " (id, user_id, purpose, token_hash, email, email_key, created_at, expires_at, credential_epoch)"
        " SELECT $1, id, $3, $4, $5, lower($5), now() - interval '10 days', now() + $6::text::interval,"
        " credential_epoch FROM auth.users WHERE id = $2",
        token_id,
        user_id,
        purpose,
        secrets.token_bytes(32),
        email,
        life,
    )
    return token_id


async def add_mail(owner: asyncpg.Connection, kind: str, user_id: UUID | None = None, email: str | None = None) -> UUID:
    """An order of a mail, of its user's present epoch."""
    mail_id = new_id()
    await owner.execute(
        "INSERT INTO auth.mails (id, kind, user_id, email, email_key, credential_epoch)"
        " VALUES ($1, $2, $3, $4, lower($4), (SELECT credential_epoch FROM auth.users WHERE id = $3))",
        mail_id,
        kind,
        user_id,
        email,
    )
    return mail_id


async def address_of(owner: asyncpg.Connection, user_id: UUID) -> tuple[str, str, bool]:
    """A user's address, what it is looked up by, and whether it is proven."""
    row = await owner.fetchrow("SELECT email, email_key, email_verified FROM auth.users WHERE id = $1", user_id)
    assert row is not None
    return row["email"], row["email_key"], row["email_verified"]


async def prove_address(owner: asyncpg.Connection, user_id: UUID) -> None:
    """As if the link of a mail had been used."""
    await owner.execute("UPDATE auth.users SET email_verified = true WHERE id = $1", user_id)


async def ordered_mails(owner: asyncpg.Connection) -> list[tuple[str, str | None]]:
    """All mails that are ordered, oldest first, with the addresses that were named."""
    rows = await owner.fetch("SELECT kind, email FROM auth.mails ORDER BY id")
    return [(row["kind"], row["email"]) for row in rows]


async def spend(connection: asyncpg.Connection, token_id: UUID) -> None:
    """What the front does to a token in the transaction that acts on it."""
    await connection.execute("UPDATE auth.verification_tokens SET used_at = now() WHERE id = $1", token_id)
