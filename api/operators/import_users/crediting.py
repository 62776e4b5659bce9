"""Accounts of users that were imported: opened in the ledger, with the balance that they bring along.

A balance goes out only behind the confirm of its account's opening. What may have been sent is sent again under the
same key, which the ledger answers with the first result; so the mark follows the confirms, and nothing is lost or
doubled wherever it breaks off.
"""

from __future__ import annotations

import asyncio
from typing import Final

from api.broker.commands import Broker, NoAnswer, OutgoingCommand
from api.errors import Unavailable
from api.operators.import_users.writing import ImportStore, Unopened
from contracts.commands import Adjust, Open
from contracts.replies import as_json

OPENING_KEY: Final = "import:open"
BALANCE_KEY: Final = "import:balance"
AT_ONCE: Final = 500
PAGE: Final = 2_000
PAUSE_SECONDS: Final = 0.5
TRIES: Final = 240
"""With the pauses two minutes: a full queue is worked off by then, or nobody works."""


class Crediting:
    """Opens accounts by the administrator's login, a bounded number at a time."""

    def __init__(self, store: ImportStore, broker: Broker, *, signup_bonus: bool) -> None:
        self._store = store
        self._broker = broker
        self._signup_bonus = signup_bonus
        self._room = asyncio.Semaphore(AT_ONCE)

    async def open_page(self, after: int) -> list[Unopened]:
        """Opens the next accounts behind that line; none: all are open.

        Raises ``Unavailable`` where the broker does not take them; those that it took are marked before.
        """
        page = await self._store.unopened(after, PAGE)
        outcomes = await asyncio.gather(*map(self._open, page), return_exceptions=True)
        failures = [outcome for outcome in outcomes if outcome is not None]
        done = [user.line for user, outcome in zip(page, outcomes, strict=True) if outcome is None]
        await self._store.mark_opened(done)
        if failures:
            raise failures[0]
        return page

    async def _open(self, user: Unopened) -> None:
        user_id = str(user.user_id)
        opening = Open(user_id=user_id, idempotency_key=OPENING_KEY, signup_bonus=self._signup_bonus)
        async with self._room:
            await self._send(OutgoingCommand(opening.type, user_id, as_json(opening)))
            if user.balance:
                balance = Adjust(
                    user_id=user_id,
                    idempotency_key=BALANCE_KEY,
                    amount=user.balance,
                    description="Opening balance",
                    reason="import",
                )
                await self._send(OutgoingCommand(balance.type, user_id, as_json(balance)))

    async def _send(self, command: OutgoingCommand) -> None:
        """Until it is confirmed: a queue may be full, and the connection lost for a moment."""
        for _ in range(TRIES):
            try:
                return await self._broker.send(command)
            except (Unavailable, NoAnswer):
                await asyncio.sleep(PAUSE_SECONDS)
        raise Unavailable("rabbitmq", "the broker does not take the commands")
