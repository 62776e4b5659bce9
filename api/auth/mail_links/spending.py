"""A link is looked up, and spent once: by whoever comes first, in the transaction of what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from api.auth import standing
from api.auth.mail_links import store
from api.auth.mail_links.links import Link, Purpose, hash_of, is_good
from api.auth.model import Standing
from api.database import Connection, Database
from api.errors import Refusal, refuse_field
from api.outbox.store import PendingCommand


@dataclass(frozen=True)
class Presented:
    """A token that somebody has, for that purpose, and whose it is; it may be spent or have expired."""

    purpose: Purpose
    token_hash: bytes
    owner: UUID


@dataclass(frozen=True)
class Spent:
    """A link that this transaction has spent, and its user as it was found, who stays locked."""

    link: Link
    before: Standing


@dataclass(frozen=True)
class Aftermath:
    """What is left to do after the commit: the sessions that ended are told, the bonus is sent."""

    ended: list[UUID]
    bonus: PendingCommand | None


def bad_link() -> Refusal:
    """The one answer to a token that is unknown, of another purpose, spent, voided or expired."""
    return refuse_field("token", "is of no use, or no longer: ask for a new one")


async def present(database: Database, purpose: Purpose, text: str) -> Presented:
    """Finds whose link it is. Raises ``Refusal`` (``invalid_request`` of field ``token``), and ``Unavailable``."""
    token_hash = hash_of(text)
    if token_hash is None:
        raise bad_link()
    async with database.statement() as connection:
        owner = await store.find_owner(connection, purpose, token_hash)
    if owner is None:
        raise bad_link()
    return Presented(purpose, token_hash, owner)


async def spend(connection: Connection, presented: Presented) -> Spent | None:
    """Locks the user and spends the token, in a transaction as its owner; ``None``, and nothing spent, where it is not
    good any more."""
    now = await standing.seize(connection, presented.owner)
    link = None if now is None else await store.lock(connection, presented.purpose, presented.token_hash)
    if now is None or link is None or not is_good(link, now):
        return None
    await store.mark_spent(connection, link.id)
    return Spent(link, now)
