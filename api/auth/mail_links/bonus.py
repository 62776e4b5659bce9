"""The signup bonus of who proves an address, where accounts are opened without one: committed with the proof."""

from __future__ import annotations

from uuid import UUID

from api.auth.mail_links import store
from api.database import Connection
from api.outbox import store as outbox
from api.outbox.delivery import Delivery
from api.outbox.store import PendingCommand
from contracts.commands import Grant
from contracts.permissions import SIGNUP_BONUS_KEY


class SignupBonus:
    """Grants the amount once to each user for whom registration noted it."""

    def __init__(self, amount: int, delivery: Delivery) -> None:
        self._amount = amount
        self._delivery = delivery

    async def owe(self, connection: Connection, user_id: UUID) -> PendingCommand | None:
        """Under the user's lock, where an address was just proven: the command, committed with it, if there is one."""
        if not await store.take_bonus(connection, user_id) or not self._amount:
            return None
        command = Grant(
            user_id=str(user_id),
            idempotency_key=SIGNUP_BONUS_KEY,
            amount=self._amount,
            description="signup bonus",
            source="bonus",
        )
        pending = PendingCommand.of(command)
        await outbox.add(connection, pending)
        return pending

    async def deliver(self, pending: PendingCommand | None) -> None:
        """After the commit: sends it now, behind what waits for the user, if that can be done; else the relay does."""
        if pending is not None:
            await self._delivery.deliver_in_order(pending.user_id)
