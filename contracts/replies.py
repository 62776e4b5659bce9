"""What a command is answered with. The same structures stand in events and in REST answers."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from contracts.errors import Error
from contracts.fields import OPEN, Metadata, Moment

REPLY_TYPE: Final = "credits.result"
CONTENT_TYPE: Final = "application/json"

TransactionType = Literal["purchase", "usage", "refund", "bonus", "expiry", "adjustment", "clawback"]
LotKind = Literal["signup", "daily", "promotion", "bonus", "purchase", "adjustment"]
Origin = Literal["app", "user", "system"]


class Balance(Struct, frozen=True, rename="camel"):
    """An account's four figures, in credits: the paid part, the free part, all that came in, all that was used."""

    balance: int
    free_credits_remaining: int
    total_earned: int
    total_spent: int


class Transaction(Struct, frozen=True, rename="camel"):
    """One business event of one account; ``amount`` is signed, balances are paid and free credits together."""

    id: str
    user_id: str
    type: Annotated[TransactionType, OPEN]
    status: Literal["completed"]
    amount: int
    balance_before: int
    balance_after: int
    app_id: str | None
    origin: Origin
    description: str
    metadata: Metadata
    idempotency_key: str
    refers_to: str | None
    sequence: int
    created_at: Moment
    completed_at: Moment


class Lot(Struct, frozen=True, rename="camel"):
    """Credits of one origin: what is left of them, and when that ends, if it does."""

    id: str
    kind: Annotated[LotKind, OPEN]
    granted: int
    remaining: int
    free: bool
    expires_at: Moment | None
    created_at: Moment


class Done(Struct, frozen=True, rename="camel"):
    """The answer to a command that writes; ``transaction`` is ``None`` where none was made (freeze, bare opening)."""

    transaction: Transaction | None
    balance: Balance
    replayed: bool = False
    ok: Literal[True] = True


class BalanceRead(Struct, frozen=True, rename="camel"):
    """The answer to ``credits.balance`` (and to our own ``credits.expire``)."""

    balance: Balance
    ok: Literal[True] = True


class Refused(Struct, frozen=True, rename="camel"):
    """The answer to a command that was refused: nothing was done."""

    error: Error
    ok: Literal[False] = False


Reply = Done | BalanceRead | Refused


class DoneBody(Struct, frozen=True, rename="camel"):
    """The command was carried out now, or had been before (``replayed``); in the contract's order of fields."""

    ok: Literal[True]
    replayed: bool
    transaction: Transaction | None
    balance: Balance


class BalanceReadBody(Struct, frozen=True, rename="camel"):
    """What the account holds, behind every earlier command of its user."""

    ok: Literal[True]
    balance: Balance


class RefusedBody(Struct, frozen=True, rename="camel"):
    """The command was refused: nothing was done."""

    ok: Literal[False]
    error: Error


ReplyBody = DoneBody | BalanceReadBody | RefusedBody


class ReplyView(Struct, frozen=True, rename="camel"):
    """Any reply as a client reads it: look at ``ok`` first."""

    ok: bool
    replayed: bool = False
    transaction: Transaction | None = None
    balance: Balance | None = None
    error: Error | UnsetType = UNSET


_encoder: Final = msgspec.json.Encoder()
_view_decoder: Final = msgspec.json.Decoder(ReplyView)


def encode_reply(reply: Reply) -> bytes:
    """The reply's body, UTF-8 JSON."""
    return _encoder.encode(_body(reply))


def _body(reply: Reply) -> ReplyBody:
    match reply:
        case Done():
            return DoneBody(True, reply.replayed, reply.transaction, reply.balance)
        case BalanceRead():
            return BalanceReadBody(True, reply.balance)
        case Refused():
            return RefusedBody(False, reply.error)


def decode_reply(body: bytes) -> ReplyView:
    """Reads a reply's body. Raises ``msgspec.DecodeError`` for anything else."""
    return _view_decoder.decode(body)


def as_json(value: Any) -> bytes:
    """Compact UTF-8 JSON of any structure of the contract."""
    return _encoder.encode(value)
