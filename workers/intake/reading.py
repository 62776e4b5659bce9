"""A delivery becomes an item: a request to the ledger, or a message that is refused without asking it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import structlog
from msgspec import Struct

from contracts.addresses import is_reply_address
from contracts.decoding import Accepted, Rejected, decode
from contracts.errors import invalid_field
from contracts.permissions import Logins
from workers.broker.consumer import Delivery
from workers.broker.lenient import Damaged
from workers.ledger.model import Request

_log = structlog.get_logger(__name__)

SUSPICIOUS_RETURNS: Final = 3
"""After so many returns to the queue, a delivery may be what breaks connections: its reply goes out alone."""


class Item(Struct, frozen=True):
    """One delivery of a partition, read: ``request`` for the ledger, or ``rejected`` without it."""

    delivery: Delivery
    partition: int
    reply_to: str | None
    traceparent: str | None
    request: Request | None = None
    rejected: Rejected | None = None

    @property
    def suspicious(self) -> bool:
        """Whether its reply may be what breaks our connection again and again."""
        return self.delivery.returns >= SUSPICIOUS_RETURNS


def read(delivery: Delivery, partition: int, logins: Logins, nodes: Collection[int] | None = None) -> Item:
    """Reads a delivery. Never raises. ``nodes``: see ``contracts.addresses``."""
    envelope = delivery.envelope
    if (problem := _unfit(delivery, nodes)) is not None:
        return _rejected(delivery, partition, problem)
    try:
        decoded = decode(envelope, delivery.body, logins, nodes)
    except MemoryError:  # says nothing about the message: unread, it comes again
        raise
    except Exception:  # a defect of ours must not take the connection down, and come again with it
        _log.exception("decoding failed", queue_partition=partition)
        return _rejected(delivery, partition, _unreadable(delivery, "body", "cannot be read", nodes))
    if isinstance(decoded, Rejected):
        return _rejected(delivery, partition, decoded)
    return Item(delivery, partition, decoded.reply_to, decoded.traceparent, _request(delivery, partition, decoded))


def _request(delivery: Delivery, partition: int, accepted: Accepted) -> Request:
    return Request(
        command=accepted.command,
        actor=accepted.actor,
        partition=partition,
        identity=delivery.envelope.message_id or "",
        redelivered=delivery.envelope.redelivered,
        deadline=accepted.deadline,
        traceparent=accepted.traceparent,
    )


def _unfit(delivery: Delivery, nodes: Collection[int] | None) -> Rejected | None:
    """What the contract's decoding cannot see: bytes behind the text, and what the database cannot hold."""
    if delivery.damaged is not None:
        return _unreadable(delivery, delivery.damaged, "cannot be read", nodes)
    if "\0" in (delivery.envelope.message_id or ""):
        return _unreadable(delivery, "message_id", "holds the character NUL", nodes)
    return None


def _unreadable(delivery: Delivery, name: str, message: str, nodes: Collection[int] | None) -> Rejected:
    reply_to = delivery.envelope.reply_to
    usable = name != "reply_to" and not isinstance(reply_to, Damaged) and is_reply_address(reply_to, nodes)
    return Rejected(invalid_field(name, message), False, reply_to if usable else None)


def _rejected(delivery: Delivery, partition: int, rejected: Rejected) -> Item:
    return Item(delivery, partition, rejected.reply_to, rejected.traceparent, rejected=rejected)
