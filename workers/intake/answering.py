"""What is sent on account of an item: its reply, and what must be confirmed before its acknowledgement. Pure."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import uuid4

from msgspec import Struct

from contracts import dead_letters
from contracts.decoding import Rejected
from contracts.errors import Error
from contracts.events import refused_event
from contracts.replies import CONTENT_TYPE, Refused, encode_reply
from contracts.replies import Reply as LedgerReply
from contracts.topology import DEAD_QUEUE, FRONT_LOGIN, PAYMENTS_LOGIN, RELAY_LOGIN
from workers.broker.consumer import Reply
from workers.broker.frames import PERSISTENT, properties
from workers.broker.lenient import Damaged
from workers.broker.publisher import Publication
from workers.events.messages import event_message, log_copy
from workers.intake.reading import Item

REASON_MAX: Final = 500
_OURS: Final = frozenset({FRONT_LOGIN, RELAY_LOGIN, PAYMENTS_LOGIN})
_DEFAULT_EXCHANGE: Final = ""
_INTERNAL: Final = Error("internal", "the command could not be carried out; it is kept, and nothing was changed")


class Blame(Struct, frozen=True):
    """Who sent what cannot be read: the ``login``, ``None`` for who did not say so, and its app (``Item.sender``)."""

    login: str | None
    app_id: str | None = None

    @property
    def of(self) -> str:
        """Whose allowance it is: an app's, whichever of its secrets it was sent with, or that of a login of no app."""
        return self.app_id if self.app_id is not None else self.login or ""


class Kept(Struct, frozen=True):
    """What has no other memory: published until confirmed; ``otherwise`` where the broker refuses the first.

    ``blame``: the login whose own mistake it is, so that nobody waits for it where the broker refuses it.
    """

    message: Publication
    otherwise: Publication | None = None
    blame: Blame | None = None


class Answer(Struct, frozen=True):
    """The reply, if one was asked for, and what is kept. ``kept_first``: the reply is only true once that is confirmed.

    ``frames``: the reply as it will leave, framed before anything is sent, so that what cannot be framed is told early.
    """

    reply: Reply | None = None
    kept: Kept | None = None
    kept_first: bool = False
    frames: bytes = b""


def answer(item: Item, reply: LedgerReply, now: datetime) -> Answer:
    """What the ledger said. A refusal that nobody asked to be told of becomes an event; so does that of a redriven
    command, whose reply goes to whoever redrives, while its sender would never hear of it.

    Not so beyond the limits of an app: its flood would fill the log of events, and be waited for at each confirm.
    """
    told = None if item.reply_to is None else _reply(item, item.reply_to, reply)
    if told is not None and not _is_redriven(item):
        return Answer(told)
    if isinstance(reply, Refused) and not _is_beyond_limits(item, reply.error):
        return Answer(told, refusal(item, _ledger_refusal(item, reply), now))
    return Answer(told)


def _is_redriven(item: Item) -> bool:
    return item.delivery.envelope.kept_since is not None


def _is_beyond_limits(item: Item, error: Error) -> bool:
    """Also where it is answered as something else was before, and where it comes again and was refused for that."""
    return item.beyond_limits or error.code == "overloaded"


def refused(item: Item, rejected: Rejected, now: datetime) -> Answer:
    """What was refused without the ledger: a reply where possible; a dead copy of what nobody could read.

    Also of what a process of ours sent without waiting for an answer (an account's opening, from the outbox): it is
    not sent again, and a refusal, as by a worker of a version that does not know the sender, would be its end. So also
    of what is redriven: it has left the queue of dead copies by then.

    Beyond the limits of an app there is the reply alone, so that its acknowledgement waits for nothing.
    """
    reply = None if item.reply_to is None else _reply(item, item.reply_to, Refused(rejected.error))
    if item.beyond_limits:
        return Answer(reply)
    login = item.delivery.envelope.login
    if _is_redriven(item) or (not rejected.keep and reply is None and login in _OURS):
        return Answer(reply, Kept(dead_copy(item, f"{rejected.error.code}: {rejected.error.message}", now)))
    if rejected.keep:
        return Answer(reply, Kept(dead_copy(item, rejected.error.message, now), blame=Blame(login, item.sender)))
    return Answer(reply) if reply is not None else Answer(kept=refusal(item, rejected, now))


def poisoned(item: Item, reason: str, now: datetime) -> Answer:
    """A command that the ledger cannot take for our own fault: kept, and only then answered with ``internal``.

    After a reply that overtook the confirm, a crash would bring the command back, and it might be carried out yet.
    """
    reply = None if item.reply_to is None else _reply(item, item.reply_to, Refused(_INTERNAL))
    return Answer(reply, Kept(dead_copy(item, f"internal: {reason}", now)), kept_first=True)


def refusal(item: Item, rejected: Rejected, now: datetime) -> Kept:
    """The event of a refused command; where the exchange does not take it, a copy for the log alone."""
    event = refused_event(
        subject=rejected.user_id or "unknown",
        command=rejected.command,
        idempotency_key=rejected.idempotency_key,
        app_id=rejected.app_id,
        error=rejected.error,
        sender=item.sender,
        identity=item.delivery.envelope.message_id or _likeness(item),
        time=now,
        traceparent=rejected.traceparent,
    )
    message = event_message(event, rejected.app_id)
    return Kept(message, log_copy(message))


def _likeness(item: Item) -> str:
    """What stands for a ``message_id`` that was not set: the same for a redelivery, another for another message."""
    envelope = item.delivery.envelope
    told = (envelope.correlation_id or "", str(envelope.deadline or ""), sha256(item.delivery.body).hexdigest())
    return "\x1f".join(told)


def dead_copy(item: Item, reason: str, now: datetime) -> Publication:
    """The message as it came, for ``credits.dead``, with the reason and what its properties said."""
    envelope = item.delivery.envelope
    at = now.isoformat()
    headers = {
        dead_letters.REASON: reason[:REASON_MAX],
        dead_letters.PARTITION: str(item.partition),
        dead_letters.ROUTING_KEY: envelope.routing_key,
        dead_letters.LOGIN: envelope.login,
        dead_letters.MESSAGE_ID: envelope.message_id,
        dead_letters.REPLY_TO: envelope.reply_to,
        dead_letters.CONTENT_ENCODING: envelope.content_encoding,
        dead_letters.ON_BEHALF: _told(envelope.on_behalf),
        dead_letters.DEADLINE: _told(envelope.deadline),
        dead_letters.TRACEPARENT: item.traceparent,
        dead_letters.KEPT_AT: at,
        dead_letters.KEPT_SINCE: _told(envelope.kept_since) or at,
    }
    message_id = uuid4().hex
    header = properties(
        content_type=CONTENT_TYPE,
        headers={name: value for name, value in headers.items() if value is not None},
        delivery_mode=PERSISTENT,
        correlation_id=_intact(envelope.correlation_id),
        message_id=message_id,
        type_=_intact(envelope.type),
    )
    return Publication(_DEFAULT_EXCHANGE, DEAD_QUEUE, message_id, header, item.delivery.body)


def _told(header: object) -> str | None:
    """What a header said, as text. One that is no text stays set: without it the message would be another one."""
    return None if header is None else str(header)[: dead_letters.HEADER_CHARACTERS_MAX]


def _reply(item: Item, to: str, reply: LedgerReply) -> Reply:
    headers = None if item.traceparent is None else {"traceparent": item.traceparent}
    return Reply(to, _intact(item.delivery.envelope.correlation_id), headers, encode_reply(reply))


def _intact(value: str | None) -> str:
    """Only what came as text goes back as text."""
    return "" if value is None or isinstance(value, Damaged) else value


def _ledger_refusal(item: Item, reply: Refused) -> Rejected:
    command = item.request.command if item.request is not None else None
    return Rejected(
        reply.error,
        True,
        None,
        command=command.type if command is not None else "unknown",
        user_id=getattr(command, "user_id", None),
        idempotency_key=getattr(command, "idempotency_key", None),
        app_id=getattr(command, "app_id", None),
        traceparent=item.traceparent,
    )
