"""Links as users find them in their mails: made for an order by what the mail worker makes them by."""

from __future__ import annotations

import base64
import hashlib
import secrets
from uuid import UUID

import asyncpg

from tests.integration.auth.rows import new_id

_EXPIRE = (
    "UPDATE auth.verification_tokens SET created_at = now() - interval '1 day', expires_at = now() - interval '1 s'"
    " WHERE token_hash = $1"
)


def no_link() -> str:
    """What might be a link's token, and is nobody's."""
    return _text(secrets.token_bytes(32))


async def link_of(owner: asyncpg.Connection, mail_id: UUID) -> str | None:
    """The token of the link in the mail of an order; ``None`` where the mail worker makes none any more."""
    secret = secrets.token_bytes(32)
    made = await owner.fetchval(
        "SELECT auth.add_mail_token($1, $2, $3, '30 min')", mail_id, new_id(), hashlib.sha256(secret).digest()
    )
    return _text(secret) if made else None


async def newest_link(owner: asyncpg.Connection, kind: str, email: str | None = None) -> str:
    """The token of the link in the newest mail of that kind, of all or of those to a typed address."""
    newest = "SELECT id FROM auth.mails WHERE kind = $1 AND ($2::text IS NULL OR email = $2) ORDER BY id DESC LIMIT 1"
    mail_id = await owner.fetchval(newest, kind, email)
    assert mail_id is not None, "no such mail was ordered"
    link = await link_of(owner, mail_id)
    assert link is not None
    return link


def hash_of(link: str) -> bytes:
    """What the database knows the link by: SHA-256 of the 32 bytes that it has in base64url."""
    return hashlib.sha256(base64.urlsafe_b64decode(link + "=")).digest()


async def expire(owner: asyncpg.Connection, link: str) -> None:
    """A second ago the link's time was over."""
    await owner.execute(_EXPIRE, hash_of(link))


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
