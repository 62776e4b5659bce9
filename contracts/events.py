"""What the ledger tells the world: CloudEvents 1.0 in structured JSON, on the topic exchange ``credits.events``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from contracts.errors import Error
from contracts.fields import Moment
from contracts.payments import DISPUTE_KEY, OPEN
from contracts.replies import Balance, Transaction, TransactionType

EVENT_CONTENT_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "/mana/credits"
SYSTEM_APP: Final = "system"

EventType = Literal[
    "credits.used",
    "credits.granted",
    "credits.adjusted",
    "credits.refunded",
    "credits.expired",
    "credits.refused",
    "credits.purchased",
    "credits.clawed_back",
    "credits.disputed",
    "credits.topup_failed",
]

EVENT_OF_TRANSACTION: Final[dict[TransactionType, EventType]] = {
    "usage": "credits.used",
    "bonus": "credits.granted",
    "adjustment": "credits.adjusted",
    "refund": "credits.refunded",
    "expiry": "credits.expired",
    "purchase": "credits.purchased",
    "clawback": "credits.clawed_back",
}
DISPUTED: Final[EventType] = "credits.disputed"
"""The event of that clawback which begins a dispute."""
OF_TRANSACTIONS: Final[frozenset[EventType]] = frozenset({*EVENT_OF_TRANSACTION.values(), DISPUTED})

_REFUSED_IDS: Final = uuid.UUID("5b0f9a52-6d0e-5c3e-9a3b-7d1c0a4f2e61")
_TOPUP_FAILED_IDS: Final = uuid.UUID("c2a7f4de-93b1-5d0a-8e46-0f5b7a91d3c8")


class TransactionData(Struct, frozen=True, rename="camel"):
    """What happened, and the balance after it."""

    transaction: Transaction
    balance: Balance


class RefusedData(Struct, frozen=True, rename="camel"):
    """Which command was refused, and why."""

    command: str
    idempotency_key: str | None
    app_id: str | None
    error: Error


class TopupFailedData(Struct, frozen=True, rename="camel"):
    """Which top-up failed, and why: a code of Stripe's, such as ``insufficient_funds``. With the reason ``refund`` or
    ``dispute``, for which purchase's money, that has gone back or may, top-up is off."""

    purchase_id: str
    package_id: str
    reason: str


class Event(Struct, frozen=True):
    """A CloudEvent (cloudevents.io, version 1.0.2); ``sequence`` counts one user's transactions without a gap."""

    id: str
    type: EventType
    subject: str
    time: Moment
    data: TransactionData | RefusedData | TopupFailedData
    sequence: int | UnsetType = UNSET
    traceparent: str | UnsetType = UNSET
    specversion: Literal["1.0"] = "1.0"
    source: str = SOURCE
    datacontenttype: str = "application/json"


_encoder: Final = msgspec.json.Encoder()


def event_type(transaction: Transaction) -> EventType:
    """What a transaction is told as."""
    key = transaction.idempotency_key
    if transaction.type == "clawback" and key.startswith(DISPUTE_KEY) and key.endswith(OPEN):
        return DISPUTED
    return EVENT_OF_TRANSACTION[transaction.type]


def transaction_event(transaction: Transaction, balance: Balance, traceparent: str | None) -> Event:
    """The event of a transaction: its id is the transaction's, so that a repeat is known as one."""
    return Event(
        id=transaction.id,
        type=event_type(transaction),
        subject=transaction.user_id,
        time=transaction.completed_at,
        data=TransactionData(transaction, balance),
        sequence=transaction.sequence,
        traceparent=traceparent or UNSET,
    )


def refused_event(
    *,
    subject: str,
    command: str,
    idempotency_key: str | None,
    app_id: str | None,
    error: Error,
    identity: str,
    time: datetime,
    traceparent: str | None,
) -> Event:
    """The event of a refusal that nobody asked to be told of; its id is made from account, key and identity.

    ``identity`` is the message's own: the same when it is delivered again, and another for every other message.
    """
    name = "\x1f".join((subject, command, idempotency_key or "", identity))
    return Event(
        id=str(uuid.uuid5(_REFUSED_IDS, name)),
        type="credits.refused",
        subject=subject,
        time=time,
        data=RefusedData(command, idempotency_key, app_id, error),
        traceparent=traceparent or UNSET,
    )


def topup_failed_event(*, user_id: str, data: TopupFailedData, time: datetime, cause: str) -> Event:
    """The event of a top-up that failed or was stopped. Its id is made from that of its ``cause``: the purchase, which
    fails once, and whose own id is that of another event where the payment comes after all; or the stop."""
    return Event(
        id=str(uuid.uuid5(_TOPUP_FAILED_IDS, cause)),
        type="credits.topup_failed",
        subject=user_id,
        time=time,
        data=data,
    )


def event_routing_key(event_type: str, app_id: str | None) -> str:
    """``EVENT.APP``, such as ``credits.used.chat``; the app is ``system`` where there is none."""
    return f"{event_type}.{app_id or SYSTEM_APP}"


def encode_event(event: Event) -> bytes:
    """The event's body, UTF-8 JSON."""
    return _encoder.encode(event)


def decode_event(body: bytes) -> dict[str, Any]:
    """An event's body as plain data. Raises ``msgspec.DecodeError`` for anything that is not JSON."""
    return msgspec.json.decode(body, type=dict[str, Any])
