"""``python -m api.operators.create_admin EMAIL``: makes an administrator, who makes all others.

Who has the address already becomes one. But not by a password that somebody chose who never proved that the address is
theirs: anybody can register with an address that is to be an administrator's one day.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final
from uuid import UUID

import uuid_utils.compat
from pydantic import ValidationError

from api.auth import emails, store
from api.auth.emails import Email
from api.auth.ending import end_sessions
from api.auth.hashing import Hasher
from api.auth.model import NOWHERE, SecurityEvent
from api.auth.passwords import store as passwords
from api.auth.registration import OPENING_KEY
from api.database import Connection, Database
from api.errors import Unavailable
from api.operators.settings import OwnerSettings
from api.outbox import store as outbox
from api.outbox.store import PendingCommand
from api.settings import complaints
from api.sql import Statements
from contracts.commands import Open

_SQL: Final = Statements(Path(__file__).parent / "sql")
_PASSWORD_BYTES: Final = 18


@dataclass(frozen=True)
class Holder:
    """Who has the address."""

    id: UUID
    role: str
    email_verified: bool
    banned: bool


class Way(Enum):
    """How the address gets an administrator."""

    NEW = "new"
    PROMOTED = "promoted"
    TAKEN_OVER = "taken over"
    ALREADY = "already"
    BANNED = "banned"


def way_for(holder: Holder | None) -> Way:
    """Decides by who has the address."""
    if holder is None:
        return Way.NEW
    if holder.banned:
        return Way.BANNED
    if holder.role == "admin":
        return Way.ALREADY
    return Way.PROMOTED if holder.email_verified else Way.TAKEN_OVER


_TOLD: Final = {
    Way.NEW: "{email} is an administrator, and signs in with this password, shown only now: {password}",
    Way.PROMOTED: "{email} is an administrator, by the password of before. All sessions were ended.",
    Way.TAKEN_OVER: "{email} is an administrator. Somebody had registered with the address and never proven it: that"
    " password, sessions, devices and second factor are gone. The new password, shown only now: {password}",
    Way.ALREADY: "{email} is an administrator already: nothing was changed.",
    Way.BANNED: "{email} is banned: lift the ban first. Nothing was changed.",
}


async def create(database: Database, email: Email, password_hash: str) -> Way:
    """Makes the administrator, in one transaction as the database's owner. Raises ``Unavailable``."""
    async with database.transaction() as connection:
        await connection.execute(_SQL["lock_administration"])
        row = await connection.fetchrow(_SQL["find_by_address"], email.key)
        holder = None if row is None else Holder(**row)
        way = way_for(holder)
        if holder is None:
            await _add(connection, email, password_hash)
        elif way in (Way.PROMOTED, Way.TAKEN_OVER):
            await _promote(connection, holder, password_hash if way is Way.TAKEN_OVER else None)
    return way


async def _add(connection: Connection, email: Email, password_hash: str) -> None:
    """With an account like every user, but no bonus."""
    user_id = uuid_utils.compat.uuid7()
    opening = Open(user_id=str(user_id), idempotency_key=OPENING_KEY, signup_bonus=False)
    await connection.execute(_SQL["add_administrator"], user_id, email.address, email.key)
    await passwords.put(connection, user_id, password_hash)
    await outbox.add(connection, PendingCommand.of(opening))
    await _note(connection, user_id)


async def _promote(connection: Connection, holder: Holder, password_hash: str | None) -> None:
    """Tokens tell the role: those of before end. With another password also all else that proved the user goes."""
    await connection.execute(_SQL["promote"], holder.id)
    await end_sessions(connection, holder.id, "revoked")
    if password_hash is not None:
        await passwords.put(connection, holder.id, password_hash)
        await connection.execute(_SQL["forget_proofs"], holder.id)
    await _note(connection, holder.id)


async def _note(connection: Connection, user_id: UUID) -> None:
    await store.add_event(connection, SecurityEvent("admin.created", NOWHERE, user_id, details={"by": "operator"}))


async def _run(settings: OwnerSettings, email: Email) -> tuple[Way, str]:
    password, hasher = secrets.token_urlsafe(_PASSWORD_BYTES), Hasher(1)
    try:
        async with Database.connected(settings.database_url, 1, "mana-create-admin") as database:
            return await create(database, email, await hasher.hash(password)), password
    finally:
        hasher.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when there is such an administrator, 1 where there is none, 2 for what cannot be meant."""
    parser = argparse.ArgumentParser(prog="./mana admin create", description="Make an administrator.")
    parser.add_argument("email", metavar="EMAIL")
    text: str = parser.parse_args(arguments).email
    try:
        email = emails.parse(text)
        settings = OwnerSettings()  # pyright: ignore[reportCallIssue] - the environment gives them
    except ValidationError as error:
        sys.stderr.write("\n".join(complaints(error)) + "\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"EMAIL {error}.\n")
        return 2
    try:
        way, password = asyncio.run(_run(settings, email))
    except Unavailable as error:
        sys.stderr.write(f"No administrator was made: {error}.\n")
        return 1
    told = _TOLD[way].format(email=email.address, password=password) + "\n"
    (sys.stderr if way is Way.BANNED else sys.stdout).write(told)
    return 1 if way is Way.BANNED else 0


if __name__ == "__main__":
    sys.exit(main())
