"""A user's purchases as they begin, and who the user is at Stripe; row-level security shows nobody else's.

Methods raise ``Unavailable`` where the database is away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from api.auth import standing
from api.auth.model import Standing
from api.auth.sessions import not_signed_in_any_more
from api.database import Connection, Database, one
from api.errors import Unavailable, refuse, refuse_field
from api.payments.model import Begun, Offer, Order, Payer
from api.sql import Statements
from contracts.stripe import failed_key

_SQL: Final = Statements(Path(__file__).parent / "sql")


class PurchaseStore:
    """Each method is a transaction of its own, and none of them waits for Stripe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, user_id: UUID, order: Order, client_key: str | None) -> tuple[Payer, Begun, Offer | None]:
        """The purchase of an order: the one of before, or a new one. The offer is there while there is one.

        Raises ``Refusal`` (``unauthorized``; ``invalid_request`` for what cannot be bought; ``idempotency_conflict``
        for a client's key that is of another order).
        """
        async with self._database.as_user(user_id) as connection:
            user = _here(await standing.enter(connection, user_id))
            await connection.execute(_SQL["lock_purchases"], user_id)
            row = await connection.fetchrow(_SQL["find_offer"], order.package_id, order.currency)
            offer = None if row is None else Offer(**row)
            begun = await _begun_before(connection, user_id, order, client_key, offer)
            if begun is None:
                begun = await _add(connection, user_id, order, client_key, offer)
        return Payer(user_id, user.user.email), begun, offer

    async def keep_session(self, user_id: UUID, purchase_id: UUID, session_id: str, url: str) -> Begun:
        """Writes down where the payer is led, unless that is known already; returns what holds now."""
        async with self._database.as_user(user_id) as connection:
            await connection.execute(_SQL["keep_session"], user_id, purchase_id, session_id, url)
            return await _read(connection, user_id, purchase_id)

    async def raise_attempt(self, user_id: UUID, purchase_id: UUID, attempt: int) -> Begun:
        """Of the purchase's idempotency key at Stripe, unless somebody has raised it; returns what holds now."""
        async with self._database.as_user(user_id) as connection:
            await connection.execute(_SQL["raise_attempt"], user_id, purchase_id, attempt)
            return await _read(connection, user_id, purchase_id)

    async def customer(self, user_id: UUID, *, live: bool) -> str | None:
        """Who the user is at Stripe, in its live or its test mode."""
        async with self._database.as_user(user_id) as connection:
            return await connection.fetchval(_SQL["find_customer"], user_id, live)

    async def keep_customer(self, user_id: UUID, customer: str, *, live: bool) -> None:
        """Raises ``Refusal`` (``unauthorized``) for who has gone meanwhile: Stripe is to forget them then."""
        async with self._database.as_user(user_id) as connection:
            user = await standing.enter(connection, user_id)
            if user is None or user.banned:
                await connection.execute(_SQL["forget_customer"], customer, live)
            else:
                await connection.execute(_SQL["keep_customer"], user_id, live, customer)
        _here(user)


def _here(user: Standing | None) -> Standing:
    if user is None or user.banned:
        raise not_signed_in_any_more()
    return user


async def _begun_before(
    connection: Connection, user_id: UUID, order: Order, client_key: str | None, offer: Offer | None
) -> Begun | None:
    """By the client's own key however late; without one the same order at the same price, of some minutes ago."""
    if client_key is not None:
        row = await connection.fetchrow(_SQL["find_by_client_key"], user_id, client_key)
        if row is None:
            return None
        begun = Begun(**row)
        if begun.request_hash != order.hash_at(begun.amount):
            raise refuse("idempotency_conflict", "this key is of another purchase")
        return begun
    if offer is None or offer.amount is None:
        return None
    row = await connection.fetchrow(_SQL["find_payable"], user_id, order.hash_at(offer.amount), failed_key(""))
    return None if row is None else Begun(**row)


async def _add(
    connection: Connection, user_id: UUID, order: Order, client_key: str | None, offer: Offer | None
) -> Begun:
    if offer is None:
        raise refuse_field("packageId", "is no package that can be bought")
    if offer.amount is None:
        raise refuse_field("currency", "is none that this package has a price in")
    values: list[Any] = [
        *(user_id, uuid_utils.compat.uuid7(), offer.package_id, offer.credits, offer.price_euro_cents),
        *(offer.amount, order.currency, order.hash_at(offer.amount), client_key),
    ]
    row = await connection.fetchrow(_SQL["add_purchase"], *values)
    if row is None:
        raise Unavailable("postgresql", "the package has changed just now")
    return Begun(**row)


async def _read(connection: Connection, user_id: UUID, purchase_id: UUID) -> Begun:
    return Begun(**one(await connection.fetchrow(_SQL["get_begun"], user_id, purchase_id)))
