"""A delivery becomes an item: a request to the ledger, or a message that is refused without asking it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final, TypeAlias

import structlog
from msgspec import Struct, structs

from contracts.apps import NO_APPS, App, Apps, app_id_problem
from contracts.decoding import Accepted, Rejected, decode, is_answerable
from contracts.errors import FieldError, invalid
from contracts.permissions import Logins, app_asking
from workers.broker.consumer import Delivery
from workers.broker.lenient import Damaged
from workers.ledger.model import Request

if TYPE_CHECKING:
    from workers.tracing.commands import CommandTrace

_log = structlog.get_logger(__name__)

SUSPICIOUS_RETURNS: Final = 3
"""After so many returns to the queue, a delivery may be what breaks connections: its reply goes out alone."""
_UNREAD: Final = FieldError("body", "cannot be read")
_NOBODY: Final = App("", frozenset())
"""Stands for all who prove no login: each of them may be any app."""


class Item(Struct, frozen=True):
    """One delivery of a partition, read: ``request`` for the ledger, or ``rejected`` without it.

    ``sender``: the id of the app that asks; empty where no login is proven, ``None`` for an administrator and our own.
    ``app``: the same, where the delivery counts towards an app's limits: one that came before does not.
    ``beyond_limits``: it was not taken on, so nobody but who wants a reply is told. ``trace``: its spans, where traces
    are on and this one was sampled.
    """

    delivery: Delivery
    partition: int
    reply_to: str | None
    traceparent: str | None
    request: Request | None = None
    rejected: Rejected | None = None
    sender: str | None = None
    app: App | None = None
    beyond_limits: bool = False
    trace: CommandTrace | None = None

    @property
    def suspicious(self) -> bool:
        """Whether its reply may be what breaks our connection again and again."""
        return self.delivery.returns >= SUSPICIOUS_RETURNS


Read: TypeAlias = Callable[[Delivery, int, Logins, "Collection[int] | None", Apps], Item]
"""How a delivery becomes an item."""


def read(
    delivery: Delivery, partition: int, logins: Logins, nodes: Collection[int] | None = None, apps: Apps = NO_APPS
) -> Item:
    """Reads a delivery. Never raises. ``nodes``: see ``contracts.addresses``; ``apps`` are the registered ones."""
    delivery, redriven = _as_first_sent(delivery, logins)
    envelope = delivery.envelope
    app = app_asking(envelope.login, logins, apps, envelope.on_behalf) if envelope.login else _NOBODY
    counted = None if envelope.redelivered or redriven else app
    sender = None if app is None else app.id
    decoded = _decoded(delivery, partition, logins, nodes, apps)
    if isinstance(decoded, Rejected):
        return _rejected(delivery, partition, decoded, sender, counted)
    request = _request(delivery, partition, decoded)
    return Item(delivery, partition, decoded.reply_to, decoded.traceparent, request, sender=sender, app=counted)


def _decoded(
    delivery: Delivery, partition: int, logins: Logins, nodes: Collection[int] | None, apps: Apps
) -> Accepted | Rejected:
    envelope = delivery.envelope
    if (unfit := _unfit(delivery)) is not None:
        return _unreadable(delivery, unfit, is_answerable(envelope, logins, nodes, apps))
    try:
        return decode(envelope, delivery.body, logins, nodes, apps)
    except MemoryError:  # says nothing about the message: unread, it comes again
        raise
    except Exception:  # a defect of ours must not take the connection down, and come again with it
        _log.exception("decoding failed", partition=partition, message_id=envelope.message_id)
        return _unreadable(delivery, _UNREAD, is_answerable(envelope, logins, nodes, apps))


def _as_first_sent(delivery: Delivery, logins: Logins) -> tuple[Delivery, bool]:
    """A redriven command is judged as its first sender's; from all others what is said of one means nothing."""
    envelope = delivery.envelope
    redriven = envelope.login in logins.redrive
    if redriven:
        sender = envelope.sender
        login = sender if isinstance(sender, str) and logins.may_be_redriven(sender) else None
        envelope = structs.replace(envelope, login=login)
    elif envelope.kept_since is not None:
        envelope = structs.replace(envelope, kept_since=None)
    else:
        return delivery, False
    return structs.replace(delivery, envelope=envelope), redriven


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


def _unfit(delivery: Delivery) -> FieldError | None:
    """What the contract's decoding cannot see: bytes behind the text, and what the database cannot hold."""
    if delivery.damaged is not None:
        return FieldError(delivery.damaged, "cannot be read")
    if "\0" in (delivery.envelope.message_id or ""):
        return FieldError("message_id", "holds the character NUL")
    return None


def _unreadable(delivery: Delivery, problem: FieldError, answerable: bool) -> Rejected:
    reply_to = delivery.envelope.reply_to
    usable = answerable and problem.field != "reply_to" and not isinstance(reply_to, Damaged)
    return Rejected(invalid(problem), False, reply_to if usable else None)


def _rejected(delivery: Delivery, partition: int, rejected: Rejected, sender: str | None, counted: App | None) -> Item:
    """What is refused for who sent it is not stored, as the ledger's own refusals are: it is kept by user, key and
    ``message_id``, which are no secrets. So whoever has no rights at all could have another app's command refused under
    a key and an id that are easily told beforehand. The price: redelivered after a change of rights, it is judged anew.

    The app that it is told of is its sender, whatever the body says: else it could be put into another app's events.
    """
    if sender is not None:
        rejected = structs.replace(rejected, app_id=sender if app_id_problem(sender) is None else None)
    return Item(
        delivery, partition, rejected.reply_to, rejected.traceparent, rejected=rejected, sender=sender, app=counted
    )
