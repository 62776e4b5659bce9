"""The commands, as they stand in a message's body; the message's property ``type`` names which one it is.

A command's *operation* is the part of it that makes two commands under one idempotency key the same request.
"""

from __future__ import annotations

from datetime import UTC
from typing import ClassVar, Final, Literal, get_args

import msgspec
from msgspec import Raw, Struct, field

from contracts.fields import Amount, AppId, Description, IdempotencyKey, Metadata, Moment, Reason, SignedAmount, Uuid
from contracts.payments import Disputed, DisputeFact, DisputeWon, Payment, Refunded, RefundFact, RefundFailed

NO_METADATA: Final = Raw(b"null")
"""Stands in every command that came without metadata."""


def _no_metadata() -> Raw:
    """A factory, since msgspec cannot write a ``Raw`` as a default into a schema."""
    return NO_METADATA


class _Command(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    type: ClassVar[str]
    user_id: Uuid


class Keyed(_Command, frozen=True, kw_only=True):
    """A command that writes: its idempotency key belongs to its user."""

    idempotency_key: IdempotencyKey


class Use(Keyed, frozen=True, kw_only=True):
    """Takes credits, for one use of an app."""

    type = "credits.use"
    amount: Amount
    app_id: AppId
    description: Description
    metadata: Metadata = field(default_factory=_no_metadata)


class Refund(Keyed, frozen=True, kw_only=True):
    """Gives a usage back, whole (no amount: all that is left of it) or in part."""

    type = "credits.refund"
    transaction_id: Uuid
    amount: Amount | None = None
    description: Description | None = None
    metadata: Metadata = field(default_factory=_no_metadata)


class Grant(Keyed, frozen=True, kw_only=True):
    """A new lot of free credits."""

    type = "credits.grant"
    amount: Amount
    description: Description
    source: Literal["promotion", "bonus"]
    expires_at: Moment | None = None
    metadata: Metadata = field(default_factory=_no_metadata)


class Adjust(Keyed, frozen=True, kw_only=True):
    """An administrator's correction, upwards or downwards."""

    type = "credits.adjust"
    amount: SignedAmount
    description: Description
    reason: Reason
    metadata: Metadata = field(default_factory=_no_metadata)


class Open(Keyed, frozen=True, kw_only=True):
    """Opens the user's account, once, and grants the signup bonus unless told not to."""

    type = "account.open"
    signup_bonus: bool = True


class Freeze(Keyed, frozen=True, kw_only=True):
    """From now on uses are refused."""

    type = "account.freeze"
    reason: Reason


class Unfreeze(Keyed, frozen=True, kw_only=True):
    """Uses are allowed again."""

    type = "account.unfreeze"
    reason: Reason


class SetThreshold(Keyed, frozen=True, kw_only=True):
    """From now on the user is told when all credits together fall below so many; ``None``: never."""

    type = "account.threshold"
    below: Amount | None


class ReadBalance(_Command, frozen=True, kw_only=True):
    """Reads the balance behind every earlier command of the user."""

    type = "credits.balance"


class Expire(_Command, frozen=True, kw_only=True):
    """Our own: posts what has expired while the user was idle. Only system logins may send it."""

    type = "credits.expire"


class OfPurchase(Keyed, frozen=True, kw_only=True):
    """Our own: what only the worker that Stripe tells may send; one fact of one purchase."""

    purchase_id: Uuid


class Buy(OfPurchase, frozen=True, kw_only=True):
    """Our own: a purchase's payment has come in (``paid``), or has not (``failed``, and why). One of the two."""

    type = "credits.purchase"
    paid: Payment | None = None
    failed: Reason | None = None

    def fact(self) -> list[str | int]:
        """What makes it the same operation: of one payment some events know the checkout session, and some do not."""
        if self.paid is None:
            return ["failed"]
        return ["paid", self.paid.amount, self.paid.currency, self.paid.payment_intent_id]


class ClawBack(OfPurchase, frozen=True, kw_only=True):
    """Our own: money of a purchase goes back to the payer, or may. A refund or a dispute."""

    type = "credits.clawback"
    refund: Refunded | None = None
    dispute: Disputed | None = None

    def fact(self) -> list[str | int]:
        """What makes it the same operation."""
        return _parts(self.refund, self.dispute)


class Thaw(OfPurchase, frozen=True, kw_only=True):
    """Our own: money of a purchase stays after all. A refund that failed, or a dispute that was won."""

    type = "credits.thaw"
    refund: RefundFailed | None = None
    dispute: DisputeWon | None = None

    def fact(self) -> list[str | int]:
        """What makes it the same operation."""
        return _parts(self.refund, self.dispute)


def _parts(refund: RefundFact | None, dispute: DisputeFact | None) -> list[str | int]:
    if refund is not None:
        return ["refund", refund.id, refund.amount, refund.state]
    return [] if dispute is None else ["dispute", dispute.id, dispute.amount, dispute.state]


OfPayments = Buy | ClawBack | Thaw
Command = Use | Refund | Grant | Adjust | Open | Freeze | Unfreeze | SetThreshold | ReadBalance | Expire | OfPayments

COMMANDS: Final[dict[str, type[Command]]] = {command.type: command for command in get_args(Command)}
OUR_OWN: Final = (Expire, Buy, ClawBack, Thaw)
"""Commands that only our own processes send to each other."""


def operation(command: Command) -> str:
    """What the command asks for, as canonical JSON: equal for two commands that are the same operation.

    The list is ``[type, amount, appId, transactionId, source, expiresAt]`` as asked, ``null`` where the command has no
    such field; times are compared as instants, so they are brought to UTC. Behind them a command of a payment has its
    purchase, and its fact as a list; that of a threshold has the threshold.
    """
    expires_at = getattr(command, "expires_at", None)
    parts = [
        command.type,
        getattr(command, "amount", None),
        getattr(command, "app_id", None),
        getattr(command, "transaction_id", None),
        getattr(command, "source", None),
        None if expires_at is None else expires_at.astimezone(UTC),
    ]
    if isinstance(command, OfPurchase):
        parts += [command.purchase_id, command.fact()]
    if isinstance(command, SetThreshold):
        parts.append(command.below)
    return msgspec.json.encode(parts).decode()
