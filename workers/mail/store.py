"""The orders' rows, on one connection that is made again after a loss: it holds nothing from one statement to the next.

Every function raises a ``Fault`` where the database cannot be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import uuid_utils.compat

from workers.ledger.store.reopening import Reopening
from workers.ledger.store.statements import statement
from workers.mail.model import Order, Recipient

_statement = partial(statement, folder=Path(__file__).parent / "sql")

_CLAIM: Final = _statement("claim_mail")
_FIND_RECIPIENT: Final = _statement("find_recipient")
_ADD_TOKEN: Final = _statement("add_token")
_FINISH: Final = _statement("finish_mail")
_POSTPONE: Final = _statement("postpone_mail")
_GIVE_UP: Final = _statement("give_up_mail")
_CHECK: Final = _statement("check")


class MailStore:
    """What the mail worker's login may do, which is little."""

    def __init__(self, url: str, *, application_name: str) -> None:
        self._rows = Reopening(url, application_name=application_name)

    async def claim(self, mail_id: UUID) -> Order | None:
        """Takes an order for two minutes; ``None`` where it is done, claimed by another, or told to wait."""
        rows = await self._rows.fetch(_CLAIM, mail_id)
        return _order(rows[0]) if rows else None

    async def find_recipient(self, order: Order) -> Recipient | None:
        """Whom it is about; ``None`` where the order is gone, as with its user."""
        rows = await self._rows.fetch(_FIND_RECIPIENT, order.id)
        return Recipient(**rows[0]) if rows else None

    async def add_token(self, order: Order, token_hash: bytes, life: timedelta) -> bool:
        """Makes the order's link good, and earlier ones void; false where nothing is to be sent any more."""
        return await self._rows.fetch_value(_ADD_TOKEN, order.id, uuid_utils.compat.uuid7(), token_hash, life)

    async def finish(self, order: Order) -> None:
        """Forgets the order, while it is ours."""
        await self._rows.fetch(_FINISH, order.id, order.claimed_until)

    async def postpone(self, order: Order, pause: timedelta) -> None:
        """Puts the order off, for everybody."""
        await self._rows.fetch(_POSTPONE, order.id, order.claimed_until, pause)

    async def give_up(self, order: Order, user_id: UUID | None, reason: str) -> None:
        """Forgets the order and notes why, as an event of that user's."""
        told = msgspec.json.encode({"kind": order.kind, "reason": reason}).decode()
        await self._rows.fetch(_GIVE_UP, order.id, order.claimed_until, uuid_utils.compat.uuid7(), user_id, told)

    async def check(self) -> None:
        """Returns where the orders can be read."""
        await self._rows.fetch_value(_CHECK)

    async def close(self) -> None:
        """Ends the connection, if there is one."""
        await self._rows.close()


def _order(row: Mapping[str, Any]) -> Order:
    columns: dict[str, Any] = {**row, "details": msgspec.json.decode(row["details"])}
    return Order(**columns)
