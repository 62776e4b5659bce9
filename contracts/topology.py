"""The broker's topology, as data: what `ops/` declares, what workers check, what clients address."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from contracts.apps import Permission, own_names

COMMANDS_EXCHANGE: Final = "credits.commands"
EVENTS_EXCHANGE: Final = "credits.events"
DEAD_QUEUE: Final = "credits.dead"
DEAD_EXCHANGE: Final = "credits.dead"
"""Where the broker itself puts what it takes out of a queue of commands, such as what has expired."""
GIVEN_UP_QUEUE: Final = "credits.dead.broker"
"""What came to that exchange. Apart from ``DEAD_QUEUE``: its senders alone say how much comes, and must neither take
the room of what workers keep there nor have it wait."""
DEAD_QUEUES: Final = (DEAD_QUEUE, GIVEN_UP_QUEUE)
DEAD_LOOK: Final = "mana.dead.look"
"""A queue that nothing comes into: whoever looks through dead letters has it alone, so that one does at a time."""
EVENTS_LOG: Final = "credits.events.log"
MAIL_EXCHANGE: Final = "mana.mail"
MAIL_QUEUE: Final = "mana.mail"
STRIPE_EXCHANGE: Final = "stripe.events"
STRIPE_QUEUE: Final = "stripe.events"
DIRECT_REPLY_TO: Final = "amq.rabbitmq.reply-to"

PARTITIONS_DEFAULT: Final = 32
PARTITIONS_MAX: Final = 1024
PREFETCH: Final = 128
"""Unacknowledged deliveries of one partition: always this number, since another would change the order of what
the broker takes back. It bounds a batch of one busy user (docs/decisions/0012-prefetch.md)."""
QUEUE_LENGTH_DEFAULT: Final = 3_000
"""Commands waiting in one partition before publishers are told ``overloaded``: about 20 s of one worker's work.

Measured by `bench ledger` on two quiet cores that clients, broker, worker and database share, everything durable: 4,700
commands per second. 20 s of it are 94,000 commands, by 32 partitions 2,900 each. So whoever was accepted waits about
20 s at most where all partitions are full, and at half load an overload is over about 20 s / (1 - 1/2) = 40 s after its
end (`bench overload`). A machine that does twice as much may have twice as much waiting: by a policy of a higher
priority.
"""
COMMAND_QUEUE_BYTES: Final = 256 * 1024 * 1024
"""So many bytes of bodies, however few commands they are: large ones must not fill the broker's disk."""
DEAD_QUEUE_LENGTH: Final = 1_000_000
DEAD_QUEUE_BYTES: Final = 2 * 1024 * 1024 * 1024
GIVEN_UP_LENGTH: Final = 100_000
GIVEN_UP_BYTES: Final = 256 * 1024 * 1024
EVENTS_LOG_SEGMENT_BYTES: Final = 100_000_000
"""The log forgets by whole segments, and never the last one."""
MAIL_QUEUE_LENGTH: Final = 100_000
MAIL_QUEUE_BYTES: Final = 64 * 1024 * 1024
STRIPE_QUEUE_LENGTH: Final = 200_000
STRIPE_QUEUE_BYTES: Final = 2 * 1024 * 1024 * 1024
EVENTS_LOG_BYTES_DEFAULT: Final = 5_000_000_000
EVENTS_LOG_BYTES_MIN: Final = 2 * EVENTS_LOG_SEGMENT_BYTES
SUBSCRIBER_QUEUE_BYTES_DEFAULT: Final = 1_000_000_000
SUBSCRIBER_QUEUE_LENGTH_DEFAULT: Final = 1_000_000
"""About four events a second for a weekend."""
DELIVERY_LIMIT: Final = 1_000_000
"""Never reached: poison is told by our own means, since a broker's count rises with every lost connection."""

COMMAND_QUEUE_ARGUMENTS: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-single-active-consumer": True,
    "x-overflow": "reject-publish",
    "x-dead-letter-exchange": DEAD_EXCHANGE,
    "x-dead-letter-routing-key": DEAD_QUEUE,
    "x-dead-letter-strategy": "at-least-once",
    "x-delivery-limit": DELIVERY_LIMIT,
}
COMMAND_QUEUE_ARGUMENTS_BEFORE: Final[dict[str, Any]] = {**COMMAND_QUEUE_ARGUMENTS, "x-dead-letter-exchange": ""}
"""As versions made them that had no exchange for it: their queues go on so, since no argument can be changed. What
expires there lies among what workers keep."""
DEAD_QUEUE_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
GIVEN_UP_QUEUE_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "quorum", "x-overflow": "drop-head"}
"""The oldest goes where it is full. One that refused would make it wait where it was, and count there: then a queue of
commands would take none for what had expired in it."""
MAIL_QUEUE_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
"""A bell that is refused, or given up after too many deliveries, is rung again: the order's row is what counts."""
STRIPE_QUEUE_ARGUMENTS: Final[dict[str, Any]] = {
    "x-queue-type": "quorum",
    "x-overflow": "reject-publish",
    "x-delivery-limit": DELIVERY_LIMIT,
}
"""Each event that Stripe was told is safe: it leaves the queue by being kept in the database, and by nothing else."""
EVENTS_LOG_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "stream"}


@dataclass(frozen=True)
class Exchange:
    """An exchange; all of ours are durable."""

    name: str
    type: str
    durable: bool = True
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Queue:
    """A durable queue with the arguments that it must have."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Binding:
    """From an exchange to a queue; on the hash exchange the routing key is the queue's weight."""

    exchange: str
    queue: str
    routing_key: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Policy:
    """What an operator may change while queues exist: their bounds."""

    name: str
    pattern: str
    definition: dict[str, Any]
    apply_to: str = "queues"
    priority: int = 0


@dataclass(frozen=True)
class OperatorPolicy:
    """A bound that whoever declares a queue cannot raise: of it and theirs the lower one holds."""

    name: str
    pattern: str
    definition: dict[str, Any]
    apply_to: str = "queues"
    priority: int = 0


@dataclass(frozen=True)
class Bounds:
    """What an operator allows events and dead letters to take of the broker's disk; an age of None bounds nothing."""

    events_log_bytes: int = EVENTS_LOG_BYTES_DEFAULT
    events_log_age: timedelta | None = None
    subscriber_queue_bytes: int = SUBSCRIBER_QUEUE_BYTES_DEFAULT
    subscriber_queue_length: int = SUBSCRIBER_QUEUE_LENGTH_DEFAULT
    dead_letters_age: timedelta | None = None

    def events_log(self) -> dict[str, Any]:
        """Of the log."""
        age = self.events_log_age
        return {
            "max-length-bytes": self.events_log_bytes,
            "stream-max-segment-size-bytes": EVENTS_LOG_SEGMENT_BYTES,
            **({} if age is None else {"max-age": f"{round(age.total_seconds())}s"}),
        }

    def dead_letters(self) -> dict[str, Any]:
        """Of ``credits.dead``."""
        return {"max-length": DEAD_QUEUE_LENGTH, "max-length-bytes": DEAD_QUEUE_BYTES, **self._letters()}

    def given_up(self) -> dict[str, Any]:
        """Of what the broker itself gave up."""
        return {"max-length": GIVEN_UP_LENGTH, "max-length-bytes": GIVEN_UP_BYTES, **self._letters()}

    def _letters(self) -> dict[str, Any]:
        """Each look at a queue counts as a delivery of all that it holds, and RabbitMQ 4 would drop a message at the
        twentieth."""
        age = self.dead_letters_age
        return {
            "delivery-limit": DELIVERY_LIMIT,
            **({} if age is None else {"message-ttl": round(age.total_seconds() * 1000)}),
        }

    def others(self) -> dict[str, Any]:
        """Of a queue that is not ours."""
        return {"max-length": self.subscriber_queue_length, "max-length-bytes": self.subscriber_queue_bytes}


BOUNDS_DEFAULT: Final = Bounds()


@dataclass(frozen=True)
class BrokerLogin:
    """A login and its permissions, as regular expressions over names (rabbitmq.com/docs/access-control)."""

    name: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class BrokerTopology:
    """All that must exist at the broker before anything of ours starts."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    policies: tuple[Policy, ...]
    operator_policies: tuple[OperatorPolicy, ...]


ADMIN_LOGIN: Final = "mana-admin"
FRONT_LOGIN: Final = "mana-front"
WORKER_LOGIN: Final = "mana-worker"
MAIL_LOGIN: Final = "mana-mail"
PAYMENTS_LOGIN: Final = "mana-payments"
RELAY_LOGIN: Final = "mana-relay"
USAGE_LOGIN: Final = "mana-usage"
REDRIVE_LOGIN: Final = "mana-redrive"

_COMMAND_QUEUES: Final = r"credits\.commands\.[0-9]+"
_KEEPING_QUEUES: Final = r"credits\.dead|credits\.events\.log"
_BOUNDED: Final = rf"{_COMMAND_QUEUES}|{_KEEPING_QUEUES}|credits\.dead\.broker|mana\.mail|stripe\.events"
"""Our queues, which have bounds of their own."""

LOGINS: Final = (
    BrokerLogin(ADMIN_LOGIN, configure=".*", write=".*", read=".*", tags=("administrator",)),
    BrokerLogin(FRONT_LOGIN, configure="^$", write=r"^(credits\.commands|mana\.mail|stripe\.events)$", read="^$"),
    # It sends what the front's outbox holds: commands, events of users, bells of mails; what a full queue of a
    # subscriber's refused, to the log alone, by the default exchange.
    BrokerLogin(
        RELAY_LOGIN, configure="^$", write=r"^(amq\.default|credits\.commands|credits\.events|mana\.mail)$", read="^$"
    ),
    # A subscriber like any other, but that it counts for all apps.
    BrokerLogin(USAGE_LOGIN, configure="^$", write="^$", read=r"^credits\.events\.log$"),
    # An operator's: it sends dead letters again, in the name of who sent them first (contracts.permissions).
    BrokerLogin(
        REDRIVE_LOGIN,
        configure=r"^mana\.dead\.look$",
        write=r"^credits\.commands$",
        read=r"^credits\.dead(\.broker)?$",
    ),
    BrokerLogin(MAIL_LOGIN, configure="^$", write="^$", read=r"^mana\.mail$"),
    # It tells the ledger what Stripe told, tells subscribers of top-ups that failed, and feeds what never arrived.
    BrokerLogin(
        PAYMENTS_LOGIN,
        configure="^$",
        write=r"^(credits\.commands|credits\.events|stripe\.events)$",
        read=r"^stripe\.events$",
    ),
    # A worker declares its own queues again (which checks their arguments, and brings a deleted one back with its
    # binding: for one that hands its dead on it must be allowed to write to where they go) and those that keep what
    # nothing else remembers, replies and keeps dead copies by the default exchange, and sends the clock's commands.
    BrokerLogin(
        WORKER_LOGIN,
        configure=rf"^({_KEEPING_QUEUES}|{_COMMAND_QUEUES})$",
        write=rf"^(amq\.default|credits\.dead|credits\.events|credits\.commands|{_COMMAND_QUEUES})$",
        read=rf"^(amq\.default|credits\.commands|{_COMMAND_QUEUES})$",
    ),
)


CONNECTIONS_MAX: Final = 200
"""Of one login of an app; each may have so many channels as well."""


@dataclass(frozen=True)
class AppRights:
    """What a login of an app may do at the broker: names, and on the topic exchange of events also routing keys."""

    configure: str
    write: str
    read: str
    topics_write: str
    topics_read: str


def app_rights(app_id: str, permissions: Collection[Permission], *, paused: bool = False) -> AppRights:
    """Its rights: commands in (not while it is paused), queues and exchanges of its own, events of its own where it may
    read events.

    A topic permission judges the binding's pattern itself: what ends in the app's own word matches no other app's
    events. One ``#`` at most: the broker tries every way in which several of them may match, for each event of anybody.
    """
    own = re.escape(own_names(app_id)) + ".*"
    sources: list[str] = []
    topics = "^$"
    if "admin" in permissions:
        sources, topics = [re.escape(EVENTS_EXCHANGE), re.escape(EVENTS_LOG)], ".*"
    elif "events:read" in permissions:
        sources, topics = [re.escape(EVENTS_EXCHANGE)], rf"^(#|(credits|\*)\.([a-z_]+|\*))\.{re.escape(app_id)}$"
    return AppRights(
        configure=f"^{own}$",
        write=f"^({'|'.join([*([] if paused else [re.escape(COMMANDS_EXCHANGE)]), own])})$",
        read=f"^({'|'.join([*sources, own])})$",
        topics_write="^$",
        topics_read=topics,
    )


_OUR_QUEUES: Final = (COMMANDS_EXCHANGE, EVENTS_EXCHANGE, DEAD_QUEUE, "stripe.", "mana.")


def command_queue(partition: int) -> str:
    """The name of a partition's queue."""
    return f"{COMMANDS_EXCHANGE}.{partition}"


def is_ours(name: str) -> bool:
    """True for the names of our queues, those to come included: no client may have its replies sent there."""
    return name.startswith(_OUR_QUEUES)


def may_stay(queue: Queue, arguments: Mapping[str, Any]) -> bool:
    """Whether one that exists with these arguments may go on as it is: as it should be, or as it was made before."""
    before = arguments == COMMAND_QUEUE_ARGUMENTS_BEFORE and queue.arguments == COMMAND_QUEUE_ARGUMENTS
    return before or arguments == queue.arguments


def in_ring_order(partitions: Iterable[int]) -> list[int]:
    """Partitions in the order in which their queues are to be bound: by the queue's name, 10 before 2.

    A bucket of the hash exchange has its number by the order of the bindings. A broker that restarts binds them anew,
    sorted by name; bound in any other order at first, nearly every user would have another partition then
    (docs/decisions/0014-bound-by-name.md).
    """
    return sorted(partitions, key=command_queue)


def broker_topology(
    partitions: int, queue_length: int = QUEUE_LENGTH_DEFAULT, bounds: Bounds = BOUNDS_DEFAULT
) -> BrokerTopology:
    """The topology for a number of partitions; ``queue_length`` bounds each partition, in commands."""
    queues = [Queue(command_queue(number), COMMAND_QUEUE_ARGUMENTS) for number in range(partitions)]
    in_order = map(command_queue, in_ring_order(range(partitions)))
    bindings = [Binding(COMMANDS_EXCHANGE, queue, routing_key="1") for queue in in_order]
    return BrokerTopology(
        exchanges=(
            Exchange(COMMANDS_EXCHANGE, "x-consistent-hash"),
            Exchange(DEAD_EXCHANGE, "direct"),
            Exchange(EVENTS_EXCHANGE, "topic"),
            Exchange(MAIL_EXCHANGE, "fanout"),
            Exchange(STRIPE_EXCHANGE, "fanout"),
        ),
        queues=(
            *queues,
            Queue(DEAD_QUEUE, DEAD_QUEUE_ARGUMENTS),
            Queue(GIVEN_UP_QUEUE, GIVEN_UP_QUEUE_ARGUMENTS),
            Queue(EVENTS_LOG, EVENTS_LOG_ARGUMENTS),
            Queue(MAIL_QUEUE, MAIL_QUEUE_ARGUMENTS),
            Queue(STRIPE_QUEUE, STRIPE_QUEUE_ARGUMENTS),
        ),
        bindings=(
            *bindings,
            Binding(DEAD_EXCHANGE, GIVEN_UP_QUEUE, routing_key=DEAD_QUEUE),
            Binding(EVENTS_EXCHANGE, EVENTS_LOG, routing_key="#"),
            Binding(MAIL_EXCHANGE, MAIL_QUEUE, routing_key=""),
            Binding(STRIPE_EXCHANGE, STRIPE_QUEUE, routing_key=""),
        ),
        policies=(
            Policy(
                "mana-commands",
                rf"^{_COMMAND_QUEUES}$",
                {"max-length": queue_length, "max-length-bytes": COMMAND_QUEUE_BYTES},
            ),
            Policy("mana-dead", r"^credits\.dead$", bounds.dead_letters()),
            Policy("mana-given-up", r"^credits\.dead\.broker$", bounds.given_up()),
            Policy("mana-events-log", r"^credits\.events\.log$", bounds.events_log()),
            Policy(
                "mana-mail",
                r"^mana\.mail$",
                {"max-length": MAIL_QUEUE_LENGTH, "max-length-bytes": MAIL_QUEUE_BYTES},
            ),
            Policy(
                "mana-stripe",
                r"^stripe\.events$",
                {"max-length": STRIPE_QUEUE_LENGTH, "max-length-bytes": STRIPE_QUEUE_BYTES},
            ),
        ),
        operator_policies=(OperatorPolicy("mana-others", rf"^(?!({_BOUNDED})$)", bounds.others()),),
    )
