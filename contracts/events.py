"""What the ledger and sign-in tell the world: CloudEvents 1.0 in structured JSON, on the topic exchange
``credits.events``."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Struct, UnsetType

from contracts.errors import Error
from contracts.fields import Moment
from contracts.payments import DISPUTE_KEY, OPEN
from contracts.replies import Balance, Transaction, TransactionType
from contracts.user_events import SessionData, UserData, UserEventType

EVENT_CONTENT_TYPE: Final = "application/cloudevents+json"
SOURCE: Final = "/mana/credits"
USERS_SOURCE: Final = "/mana/users"
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
    "credits.low",
    "user.registered",
    "user.verified",
    "user.banned",
    "user.unbanned",
    "user.deleted",
    "session.revoked",
]


class Meaning(NamedTuple):
    """What an event tells, and when it is sent: sentences for the published contract, in Markdown."""

    means: str
    when: str


MEANINGS: Final[dict[EventType, Meaning]] = {
    "credits.used": Meaning(
        "Credits were taken.",
        "After each `credits.use` that was carried out, over AMQP or REST.",
    ),
    "credits.granted": Meaning(
        "Free credits came.",
        "When an account opens with its bonus, after each `credits.grant`, and when a day's free credits are granted.",
    ),
    "credits.adjusted": Meaning(
        "An administrator corrected the balance, upwards or downwards.",
        "After each `credits.adjust` that was carried out.",
    ),
    "credits.refunded": Meaning(
        "A usage was given back, whole or in part; `transaction.refersTo` is the usage.",
        "After each `credits.refund` that was carried out.",
    ),
    "credits.expired": Meaning(
        "Credits reached the end of their life, and are gone.",
        "When that is noticed: at the user's next command, or by the clock, within minutes.",
    ),
    "credits.refused": Meaning(
        "A command was refused that asked for no reply, or that an operator sent again.",
        "For readable commands without `reply_to`, and for those that we had failed to carry out, and sent again later;"
        " whoever else asked for a reply is told there, and there is no event. Nor is there one for what an app sends"
        " beyond its limits, `overloaded` or refused in any case: it is counted for the operators alone.",
    ),
    "credits.purchased": Meaning(
        "A purchase was paid, and its credits came.",
        "Once for each purchase, when Stripe has told of its payment.",
    ),
    "credits.clawed_back": Meaning(
        "What a refund or a dispute of a purchase changed: credits were taken, or came back; or a purchase paid what"
        " was owed of an earlier one. `transaction.amount` may be 0: then all had been used before.",
        "When Stripe tells of a refund, of one that failed, or of a dispute's end.",
    ),
    "credits.disputed": Meaning(
        "A dispute began: what is left of the purchase cannot be used until it ends.",
        "When Stripe tells of the dispute.",
    ),
    "credits.topup_failed": Meaning(
        "Automatic top-up is off: a payment of it was declined, or money of a purchase went back or may.",
        "Once for each top-up that failed; with the reason `refund` or `dispute` when that stopped it.",
    ),
    "credits.low": Meaning(
        "The user's credits, paid and free together, fell below the user's own threshold.",
        "Right behind the event of the transaction that took them from the threshold or more to below it: once for each"
        " such crossing, and never for who has set no threshold.",
    ),
    "user.registered": Meaning(
        "There is a new user.",
        "Once for each: registered, imported, or made by `./mana admin create`.",
    ),
    "user.verified": Meaning(
        "The user's address is proven for the first time.",
        "When a link in a mail is followed. An imported user whose address was proven before is registered with"
        " `emailVerified` true, and there is no event.",
    ),
    "user.banned": Meaning(
        "An administrator has shut the user out, and uses of credits are refused.",
        "With the ban; `session.revoked` tells of each session that it ended.",
    ),
    "user.unbanned": Meaning(
        "The user's ban is lifted.",
        "When an administrator lifts it. Sessions that the ban ended stay ended.",
    ),
    "user.deleted": Meaning(
        "The user is gone. What you keep of the user is to be deleted too.",
        "When the user deletes the account, behind `session.revoked` of each session.",
    ),
    "session.revoked": Meaning(
        "A session ended before its time: its access tokens are refused from now on.",
        "With the end of each session that was not over by itself. `reason` is `logout`, `password` (it was changed or"
        " reset), `reuse` (a spent refresh token was shown), `banned`, `deleted`, or `revoked`: by the user, by an"
        " administrator, or to make room for a newer one.",
    ),
}

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

_LOW_IDS: Final = uuid.UUID("7e1d3b60-52c8-5f9a-b1d4-6c0a9e83f257")
_REFUSED_IDS: Final = uuid.UUID("5b0f9a52-6d0e-5c3e-9a3b-7d1c0a4f2e61")
_TOPUP_FAILED_IDS: Final = uuid.UUID("c2a7f4de-93b1-5d0a-8e46-0f5b7a91d3c8")


class TransactionData(Struct, frozen=True, rename="camel"):
    """What happened, and the balance after it."""

    transaction: Transaction
    balance: Balance


class LowData(Struct, frozen=True, rename="camel"):
    """Which threshold was crossed, by which transaction, and the balance after it."""

    threshold: int
    transaction_id: str
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
    data: TransactionData | LowData | RefusedData | TopupFailedData | UserData | SessionData
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


def low_event(transaction: Transaction, balance: Balance, threshold: int, traceparent: str | None) -> Event:
    """The event of a transaction that crossed the account's threshold; its id is made from the transaction's."""
    return Event(
        id=str(uuid.uuid5(_LOW_IDS, transaction.id)),
        type="credits.low",
        subject=transaction.user_id,
        time=transaction.completed_at,
        data=LowData(threshold, transaction.id, balance),
        traceparent=traceparent or UNSET,
    )


def refused_event(
    *,
    subject: str,
    command: str,
    idempotency_key: str | None,
    app_id: str | None,
    error: Error,
    sender: str | None,
    identity: str,
    time: datetime,
    traceparent: str | None,
) -> Event:
    """The event of a refusal that nobody asked to be told of; its id is made from sender, account, key and identity.

    ``identity`` is the message's own: the same when it is delivered again, and another for every other message of its
    sender's. ``sender`` is an app's id, or ``None``: so no app can take the id of another's event, and no subject is
    empty as the beginning is where there is one.
    """
    whose = () if sender is None else ("", sender)
    name = "\x1f".join((*whose, subject, command, idempotency_key or "", identity))
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


def user_event(
    *, event_id: str, event_type: UserEventType, user_id: str, data: UserData | SessionData, time: datetime
) -> Event:
    """The event of what happened to a user, or to one of the user's sessions."""
    return Event(id=event_id, type=event_type, subject=user_id, time=time, data=data, source=USERS_SOURCE)


def event_routing_key(event_type: str, app_id: str | None) -> str:
    """``EVENT.APP``, such as ``credits.used.chat``; the app is ``system`` where there is none."""
    return f"{event_type}.{app_id or SYSTEM_APP}"


def encode_event(event: Event) -> bytes:
    """The event's body, UTF-8 JSON."""
    return _encoder.encode(event)


def decode_event(body: bytes) -> dict[str, Any]:
    """An event's body as plain data. Raises ``msgspec.DecodeError`` for anything that is not JSON."""
    return msgspec.json.decode(body, type=dict[str, Any])
