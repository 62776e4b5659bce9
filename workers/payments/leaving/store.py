"""The rows of what is left behind. Each method is one statement, and raises a ``Fault`` where the database cannot be
used; several workers may work side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement
from workers.payments.leaving.model import Abandoned, LatePayment

_statement = partial(statement, folder=Path(__file__).parent / "sql")

_FORGET_BODIES: Final = _statement("forget_bodies")
_FIND_LATE_PAYMENTS: Final = _statement("find_late_payments")
_CLAIM_CUSTOMERS: Final = _statement("claim_customers")
_FORGET_CUSTOMER: Final = _statement("forget_customer")
_FIND_ABANDONED: Final = _statement("find_abandoned")
_MEASURE: Final = _statement("measure")


class Left(Struct, frozen=True):
    """Customers that Stripe still has, and late payments that were not refunded."""

    customers: int
    late_payments: int


class LeavingStore:
    """On one connection, which is made again after a loss."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def forget_bodies(self, most: int) -> int:
        """Of some events of deleted users that are done; answers how many."""
        return len(await self._rows.fetch(_FORGET_BODIES, most))

    async def find_late_payments(self) -> list[LatePayment]:
        """Those that were not found before, by any worker."""
        return [LatePayment(**row) for row in await self._rows.fetch(_FIND_LATE_PAYMENTS)]

    async def claim_customers(self, *, live: bool, most: int) -> list[str]:
        """Takes customers that are to be deleted; each comes again, later each time, until it is forgotten."""
        return [row["customer"] for row in await self._rows.fetch(_CLAIM_CUSTOMERS, live, most)]

    async def forget_customer(self, customer: str) -> None:
        """Stripe has deleted it."""
        await self._rows.fetch(_FORGET_CUSTOMER, customer)

    async def find_abandoned(self, but: Sequence[str], *, live: bool, most: int) -> list[Abandoned]:
        """Purchases that are pending for too long, without some; those of the other mode are not ours to ask about."""
        sessions = "cs_live_" if live else "cs_test_"
        return [Abandoned(**row) for row in await self._rows.fetch(_FIND_ABANDONED, but, sessions, most)]

    async def measure(self) -> Left:
        """How much is left."""
        (row,) = await self._rows.fetch(_MEASURE)
        return Left(**row)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()
