"""The rows of top-ups. Each method is one statement, and raises a ``Fault`` where the database cannot be used; several
workers may work side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

import uuid_utils.compat

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement
from workers.payments.topping_up.model import Charge, Failure, State, Stop, Unexplained

_statement = partial(statement, folder=Path(__file__).parent / "sql")

_END: Final = _statement("end")
_TAKE_TURN: Final = _statement("take_turn")
_END_TURN: Final = _statement("end_turn")
_LAST_TURN: Final = _statement("last_turn")
_FIND_STOPPED: Final = _statement("find_stopped")
_STOP: Final = _statement("stop")
_FIND_DUE: Final = _statement("find_due")
_BEGIN: Final = _statement("begin")
_CLAIM: Final = _statement("claim")
_NOTE: Final = _statement("note")
_FAIL: Final = _statement("fail")
_FIND_UNEXPLAINED: Final = _statement("find_unexplained")
_CLAIM_FAILURES: Final = _statement("claim_failures")
_MARK_TOLD: Final = _statement("mark_told")
_CLAIM_STOPS: Final = _statement("claim_stops")
_FORGET_STOPS: Final = _statement("forget_stops")
_MEASURE: Final = _statement("measure")


class TopupStore:
    """On one connection, which is made again after a loss."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def end(self) -> int:
        """Sets those users free whose purchase has ended; answers how many of these were paid."""
        return sum(row["paid"] for row in await self._rows.fetch(_END))

    async def take_turn(self, *, live: bool, lease: timedelta) -> bool:
        """Whether it is our turn to look for those who are due: for so long, unless it ends before."""
        return bool(await self._rows.fetch(_TAKE_TURN, live, lease))

    async def end_turn(self, *, live: bool, pause: timedelta) -> None:
        """All were looked at; the next turn is after ``pause``."""
        await self._rows.fetch(_END_TURN, live, pause)

    async def last_turn(self, *, live: bool) -> datetime | None:
        """When the last one ended that went well, whoever's."""
        return await self._rows.fetch_value(_LAST_TURN, live)

    async def find_stopped(self, after: str, *, live: bool, most: int) -> list[str]:
        """Users who have got money back since they switched it on, or may get it; in order, behind ``after``."""
        return [row["account_id"] for row in await self._rows.fetch(_FIND_STOPPED, live, after, most)]

    async def stop(self, account_id: str) -> bool:
        """Switches it off for money that went back, with all that follows; false where that was done before."""
        return await self._rows.fetch_value(_STOP, account_id, uuid_utils.compat.uuid7())

    async def find_due(self, after: str, *, live: bool, most: int) -> list[str]:
        """Users whose credits are below their limit, and who may be charged now; in order, behind ``after``."""
        return [row["account_id"] for row in await self._rows.fetch(_FIND_DUE, live, after, most)]

    async def begin(self, account_id: str) -> bool:
        """A purchase and its payment; false where none is due any more, or another worker is at it."""
        return await self._rows.fetch_value(_BEGIN, account_id, uuid_utils.compat.uuid7())

    async def claim(self, *, live: bool, most: int, lease: timedelta) -> list[Charge]:
        """Takes payments that Stripe is to be asked for, for so long."""
        return [Charge(**row) for row in await self._rows.fetch(_CLAIM, live, most, lease)]

    async def note(
        self, purchase_id: str, state: State, intent: str | None = None, pause: timedelta = timedelta(0)
    ) -> None:
        """What is known now; one that stays ``asking`` is asked for again after ``pause``."""
        await self._rows.fetch(_NOTE, purchase_id, state, intent, pause)

    async def fail(self, purchase_id: str, intent: str | None, reason: str) -> bool:
        """Writes down that it failed, with all that follows; false where that was known."""
        return await self._rows.fetch_value(_FAIL, purchase_id, intent, reason)

    async def find_unexplained(self, most: int) -> list[Unexplained]:
        """Payments that the ledger holds for failed, and that are not marked so here."""
        return [Unexplained(**row) for row in await self._rows.fetch(_FIND_UNEXPLAINED, most)]

    async def claim_failures(self, most: int) -> list[Failure]:
        """Takes failures that are still to be told; where they stay so, they come again later."""
        return [Failure(**row) for row in await self._rows.fetch(_CLAIM_FAILURES, most)]

    async def mark_told(self, purchases: Sequence[str]) -> None:
        """The broker has confirmed the events of these."""
        await self._rows.fetch(_MARK_TOLD, purchases)

    async def claim_stops(self, most: int) -> list[Stop]:
        """Takes top-ups that were switched off and are still to be told; where they stay so, they come again later."""
        return [Stop(**row) for row in await self._rows.fetch(_CLAIM_STOPS, most)]

    async def forget_stops(self, stops: Sequence[str]) -> None:
        """The broker has confirmed the events of these."""
        await self._rows.fetch(_FORGET_STOPS, stops)

    async def measure(self) -> dict[str, int]:
        """How many are not over, by state."""
        return {row["state"]: row["number"] for row in await self._rows.fetch(_MEASURE)}

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()
