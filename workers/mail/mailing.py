"""An order's way: claimed, decided, written, handed over, forgotten.

A bell only says that an order may be due; the row is what counts. A bell that comes twice finds the order claimed or
gone. One that is acknowledged and comes to nothing is rung again by the relay, for as long as the row is there. A
process that dies between handing over and forgetting leaves a claim: two minutes later the mail is sent once more,
under the same message id and with a newer link.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage
from typing import Final
from uuid import UUID

import msgspec
import structlog

from contracts.mails import Ring
from workers.ledger.faults import Fault
from workers.mail.composing import UnsendableError
from workers.mail.deciding import UnknownKindError, decide
from workers.mail.meters import MailMeters
from workers.mail.model import Letter, Order
from workers.mail.pauses import ATTEMPTS_MAX, pause_after
from workers.mail.store import MailStore
from workers.mail.tokens import LinkToken
from workers.mail.transport import PermanentFailureError, TemporaryFailureError, Transport
from workers.mail.wording import Wording

_log = structlog.get_logger(__name__)

_TOO_OFTEN: Final = "tried too often"


class Mailing:
    """Attends to bells. ``problems`` says what kept the last mail from being handed over."""

    def __init__(self, store: MailStore, transport: Transport, wording: Wording, meters: MailMeters) -> None:
        self._store = store
        self._transport = transport
        self._wording = wording
        self._meters = meters
        self._failing: str | None = None

    def problems(self) -> Mapping[str, str]:
        """Empty while mails are taken, or none has been tried."""
        return {} if self._failing is None else {"smtp": self._failing}

    async def on_ring(self, body: bytes) -> None:
        """Sends the mail that the bell names, if it is to be sent."""
        try:
            mail_id = UUID(msgspec.json.decode(body, type=Ring).mail_id)
        except msgspec.MsgspecError as error:
            _log.error("a bell that cannot be read", reason=str(error))
            return
        try:
            order = await self._store.claim(mail_id)
            if order is not None:
                await self._attend(order)
        except Fault as fault:
            _log.warning("a mail waits for its next bell", mail_id=str(mail_id), reason=str(fault))

    async def _attend(self, order: Order) -> None:
        """Whatever comes of it, the order is finished, postponed or given up. Raises ``Fault``: then its claim ends."""
        if order.attempts > ATTEMPTS_MAX:  # whoever took it that often died of it
            await self._give_up(order, order.user_id, _TOO_OFTEN)
            return
        recipient = await self._store.find_recipient(order)
        try:
            letter = None if recipient is None else decide(order, recipient)
        except UnknownKindError:
            await self._postpone(order, order.user_id, f"no words for a mail of kind {order.kind}")
            return
        await self._deliver(order, letter)

    async def _deliver(self, order: Order, letter: Letter | None) -> None:
        token = LinkToken() if letter is not None and letter.page is not None else None
        if letter is None or not await self._is_good(order, letter, token):
            await self._store.finish(order)
            self._meters.needless.inc()
            return
        try:
            await self._hand_over(self._wording.message(order, letter, token))
        except TemporaryFailureError as error:
            await self._postpone(order, letter.user_id, str(error))
        except (PermanentFailureError, UnsendableError) as error:
            await self._give_up(order, letter.user_id, str(error))
        else:
            await self._store.finish(order)
            self._meters.sent.labels(letter.kind).inc()

    async def _is_good(self, order: Order, letter: Letter, token: LinkToken | None) -> bool:
        """Whether the letter's link leads anywhere; true without one."""
        if letter.page is None or token is None:
            return True
        return await self._store.add_token(order, token.hash, self._wording.life(letter.page))

    async def _hand_over(self, message: EmailMessage) -> None:
        try:
            await self._transport.send(message)
        except TemporaryFailureError as error:
            self._failing = str(error)
            raise
        self._failing = None

    async def _postpone(self, order: Order, user_id: UUID | None, reason: str) -> None:
        pause = pause_after(order.attempts)
        if pause is None:
            await self._give_up(order, user_id, reason)
            return
        _log.warning("a mail is tried again later", mail_id=str(order.id), kind=order.kind, reason=reason)
        await self._store.postpone(order, pause)
        self._meters.postponed.inc()

    async def _give_up(self, order: Order, user_id: UUID | None, reason: str) -> None:
        _log.error("a mail is given up", mail_id=str(order.id), kind=order.kind, reason=reason)
        await self._store.give_up(order, user_id, reason)
        self._meters.failed.inc()
