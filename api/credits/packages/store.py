"""Packages in the database. What changes them is the database's own, by its judgement of who is an administrator.

Each function works inside a transaction that its caller opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from api.credits.views import Package, Price
from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")
_PRICES: Final = msgspec.json.Decoder(tuple[Price, ...])


async def list_packages(connection: Connection, *, retired: bool) -> list[Package]:
    """Those that can be bought, in the order in which they are shown; with the ``retired`` ones, if wanted."""
    return [_package(dict(row)) for row in await connection.fetch(_SQL["list_packages"], retired)]


async def lock(connection: Connection) -> None:
    """Until the transaction's end nobody else changes packages; in a transaction of an administrator's."""
    await connection.execute(_SQL["admin_lock_packages"])


async def put(connection: Connection, package: Package) -> None:
    """Makes the package what is declared, with all its prices; in a transaction of an administrator's."""
    await connection.execute(_SQL["admin_put_package"], *columns(package))


async def retire(connection: Connection, package_id: str) -> None:
    """Takes it out of what can be bought; in a transaction of an administrator's."""
    await connection.execute(_SQL["admin_retire_package"], package_id)


def columns(package: Package) -> tuple[Any, ...]:
    """The arguments of ``credits.put_package``."""
    prices = [
        {"currency": price.currency, "amount": price.amount, "stripe_price_id": price.stripe_price_id}
        for price in package.other_prices
    ]
    return (
        package.id,
        package.name,
        package.description,
        package.credits,
        package.price_euro_cents,
        package.stripe_price_id,
        package.sort_order,
        msgspec.json.encode(prices).decode(),
    )


def _package(row: dict[str, Any]) -> Package:
    prices = _PRICES.decode(row.pop("other_prices"))
    return Package(**row, other_prices=prices)
