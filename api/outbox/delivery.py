"""Delivers what the outbox holds for one user: at once when it was written, before the first command of a session or
of a key, and before each of an app's.

Repeating is harmless, since the ledger answers a command whose key it has seen with the first result; so a row is
removed only once its delivery is certain, and the relay delivers what stays. A command goes out only behind those that
waited longer for the same user: what is repeated out of order was in order the first time.
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
from api.patience import told_soon
from contracts.replies import decode_reply

REPLY_SECONDS_MAX: Final = 2.0
LOOK_SECONDS_MAX: Final = 1.0
"""So long a command waits for the database to say what stands before it; who sent it has a deadline."""
_SETTLED_MAX: Final = 100_000

_log = structlog.get_logger(__name__)


class Delivery:
    """Knows for some sessions and keys that nothing from before them waits any more; for the others it looks.

    What is written for a user later ends the user's sessions and keys, but for the signup bonus, which may come at any
    time.
    """

    def __init__(self, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._settled: LeastRecentlyUsed[UUID | str, bool] = LeastRecentlyUsed(_SETTLED_MAX)

    async def deliver_now(self, pending: PendingCommand) -> bool:
        """Sends a command just committed and waits for its reply, 2 s at most; what fails is left to the relay.

        Whether it is done. For a command that none of the same user can wait before.
        """
        try:
            reply = decode_reply(await self._broker.ask(outgoing(pending), REPLY_SECONDS_MAX))
            if not reply.ok:
                _log.error("a command of our own was refused", command=pending.command, reply=repr(reply.error))
                return False
            await self._settle(pending)
        except (Unavailable, NoAnswer, msgspec.DecodeError) as error:
            _log.warning("a command is left to the relay", command=pending.command, reason=repr(error))
            return False
        return True

    async def deliver_in_order(self, user_id: UUID) -> None:
        """Sends all that waits for this user, the oldest first, as ``deliver_now`` does; the first that fails stops it.

        So a freeze that could not be sent at its time still goes before the unfreeze that was just committed.
        """
        try:
            waiting = await self._waiting(user_id)
        except Unavailable as error:
            _log.warning("commands are left to the relay", reason=repr(error))
            return
        for pending in waiting:
            if not await self.deliver_now(pending):
                return

    async def ensure_delivered(self, user_id: UUID, acts_in: UUID | str | None) -> None:
        """Sends what still waits for the user, so that it stands before whatever is sent next.

        Each time where ``acts_in`` names neither a session nor a key of theirs: an app goes on whatever ends those.
        Raises ``NotAccepted`` where that cannot be done now, and ``Unavailable`` where the database does not say soon
        what waits: the next command must not be sent then.
        """
        if acts_in is not None and self._settled.get(acts_in):
            return
        complaint = "the database does not say what waits for the user"
        for pending in await told_soon(self._waiting(user_id), LOOK_SECONDS_MAX, complaint):
            crash("outbox_before_send")
            try:
                await self._broker.send(outgoing(pending))
            except NoAnswer as error:
                raise NotAccepted("what waits for the user could not be sent") from error
            await self._settle(pending)
        if acts_in is not None:
            self._settled.put(acts_in, True)

    async def _waiting(self, user_id: UUID) -> list[PendingCommand]:
        async with self._database.as_user(user_id) as connection:
            return await store.list_of_user(connection, user_id)

    async def _settle(self, pending: PendingCommand) -> None:
        crash("outbox_after_send")
        async with self._database.as_user(pending.user_id) as connection:
            await store.remove(connection, pending.id)


def outgoing(pending: PendingCommand) -> OutgoingCommand:
    """The row as a command."""
    return OutgoingCommand(pending.command, str(pending.user_id), pending.body.encode())
