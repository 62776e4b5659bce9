"""Orders of mails as the mail worker finds them, put off and due again."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from tests.integration.auth.rows import add_mail, add_user, new_id
from tests.integration.workers.running import until


async def order(owner: asyncpg.Connection) -> tuple[UUID, str]:
    """A mail with a link for a new password is ordered for a new user: its id and the user's address."""
    email = f"{new_id()}@example.com"
    await add_user(owner, email)
    return await add_mail(owner, "reset_requested", email=email), email


async def until_postponed(owner: asyncpg.Connection, mail: UUID) -> None:
    """Until the worker has put it off for a minute: a bell that was rung for it puts it off too, but claims nothing."""
    put_off = "SELECT due_at = claimed_until AND due_at > now() + '50 s' FROM auth.mails WHERE id = $1"

    async def postponed() -> bool:
        return await owner.fetchval(put_off, mail) is True

    await until(postponed, "it is put off")


async def let_be_due(owner: asyncpg.Connection, mail: UUID) -> None:
    """Nobody has it in hand any more, and its time has come."""
    await owner.execute("UPDATE auth.mails SET due_at = now(), claimed_until = now() WHERE id = $1", mail)
