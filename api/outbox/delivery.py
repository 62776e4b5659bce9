"""Delivers what the outbox holds for one user: at once when it was written, and before that user's first command.

Repeating is harmless, since the ledger answers an opening that it has seen with the first result; so a row is removed
only once its delivery is certain, and the relay delivers what stays.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import msgspec
import structlog

from api.broker.commands import Broker, NoAnswer, NotAccepted, OutgoingCommand
from api.crash import crash
from api.database import Database
from api.errors import Unavailable
from api.lru import LeastRecentlyUsed
from api.outbox import store
from api.outbox.store import PendingCommand
from contracts.replies import decode_reply

REPLY_SECONDS_MAX: Final = 2.0
_SETTLED_MAX: Final = 100_000

_log = structlog.get_logger(__name__)


class Delivery:
    """Knows for some users that nothing of theirs waits any more; for the others it looks."""

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._settled: LeastRecentlyUsed[UUID, bool] = LeastRecentlyUsed(_SETTLED_MAX)

    async def deliver_now(self, pending: PendingCommand) -> None:
        """Sends a command just committed and waits for its reply, 2 s at most; what fails is left to the relay."""
        try:
            reply = decode_reply(await self._broker.ask(outgoing(pending), REPLY_SECONDS_MAX))
            if not reply.ok:
                _log.error("a command of our own was refused", command=pending.command, reply=repr(reply.error))
                return
            await self._settle(pending)
        except (Unavailable, NoAnswer, msgspec.DecodeError) as error:
            _log.warning("a command is left to the relay", command=pending.command, reason=repr(error))

    async def ensure_delivered(self, user_id: UUID) -> None:
        """Sends what still waits for this user, so that it stands before whatever is sent next.

        Raises ``NotAccepted`` where that cannot be done now: the next command must not be sent then.
        """
        if self._settled.get(user_id):
            return
        async with self._database.as_user(user_id) as connection:
            waiting = await store.list_of_user(connection, user_id)
        for pending in waiting:
            crash("outbox_before_send")
            try:
                await self._broker.send(outgoing(pending))
            except NoAnswer as error:
                raise NotAccepted("the account's opening could not be sent") from error
            await self._settle(pending)
        self._settled.put(user_id, True)

    async def _settle(self, pending: PendingCommand) -> None:
        crash("outbox_after_send")
        async with self._database.as_user(pending.user_id) as connection:
            await store.remove(connection, pending.id)
        self._settled.put(pending.user_id, True)


def outgoing(pending: PendingCommand) -> OutgoingCommand:
    """The row as a command."""
    return OutgoingCommand(pending.command, str(pending.user_id), pending.body.encode())
