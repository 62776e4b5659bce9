"""What an app's login may not do at the broker, each with RabbitMQ's own words, and what it may.

`docs/reference/app-rights.md` is made of this (``python -m tests.integration.apps.page``), and the tests do it all. The
app is called ``chat``, another one ``mail``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from contracts.topology import CONNECTIONS_MAX

ALLOWED: Final = (
    "log in with either of its two secrets, both at a time",
    "send commands, and get replies by `amq.rabbitmq.reply-to`",
    "make, consume, empty and delete queues and exchanges whose names begin with `chat.`",
    "bind them to `credits.*.chat`, and hear its own events",
    "exchange its secret without a command that is not answered",
)

LOGIN: Final = "chat.k3f9x0a2b7c1"
"""As the page has it; a test's secret has another id."""
Do = Callable[[AbstractChannel], Awaitable[Any]]


@dataclass(frozen=True)
class Act:
    """Something tried, on a channel of the app's own."""

    what: str
    do: Do
    said: str


def _refused(kind: str, name: str) -> str:
    return f"ACCESS_REFUSED - access to {kind} '{name}' in vhost '/' refused for user '{LOGIN}'"


def _no_topic(key: str) -> str:
    return (
        f"ACCESS_REFUSED - access to topic '{key}' in exchange 'credits.events' in vhost '/' refused for user '{LOGIN}'"
    )


async def _ignore(_message: object) -> None:
    """Nobody is interested."""


def _publish(exchange: str, key: str, **properties: Any) -> Do:
    return lambda channel: channel.basic_publish(
        b"{}", exchange=exchange, routing_key=key, properties=Basic.Properties(**properties)
    )


def _consume(queue: str) -> Do:
    return lambda channel: channel.basic_consume(queue, _ignore)


def _bind(queue: str, exchange: str, key: str) -> Do:
    return lambda channel: channel.queue_bind(queue, exchange, key)


def _declare(queue: str, **arguments: Any) -> Do:
    return lambda channel: channel.queue_declare(queue, durable=True, arguments=arguments)


_OTHERS: Final = (
    Act("consume another app's queue", _consume("mail.events"), _refused("queue", "mail.events")),
    Act("get a message of another app's", lambda c: c.basic_get("mail.events"), _refused("queue", "mail.events")),
    Act("empty another app's queue", lambda c: c.queue_purge("mail.events"), _refused("queue", "mail.events")),
    Act("delete another app's queue", lambda c: c.queue_delete("mail.events"), _refused("queue", "mail.events")),
    Act("make a queue by another app's name", _declare("mail.mine"), _refused("queue", "mail.mine")),
    Act(
        "make an exchange by another app's name",
        lambda c: c.exchange_declare("mail.mine", exchange_type="fanout"),
        _refused("exchange", "mail.mine"),
    ),
    Act("make a queue by no app's name", _declare("mine"), _refused("queue", "mine")),
    Act("make a queue that only begins as its own", _declare("chatty.mine"), _refused("queue", "chatty.mine")),
    Act("write into another app's queue", _publish("", "mail.events"), _refused("exchange", "amq.default")),
    Act("publish to another app's exchange", _publish("mail.fanout", ""), _refused("exchange", "mail.fanout")),
    Act("hear another app's exchange", _bind("chat.own", "mail.fanout", ""), _refused("exchange", "mail.fanout")),
    Act(
        "lead its own exchange into another app's queue",
        _bind("mail.events", "chat.fanout", ""),
        _refused("queue", "mail.events"),
    ),
    Act(
        "have its dead messages sent to another app's exchange",
        _declare("chat.dying", **{"x-dead-letter-exchange": "mail.fanout"}),
        _refused("exchange", "mail.fanout"),
    ),
)
_OURS: Final = (
    Act("consume commands", _consume("credits.commands.0"), _refused("queue", "credits.commands.0")),
    Act("get a command", lambda c: c.basic_get("credits.commands.0"), _refused("queue", "credits.commands.0")),
    Act(
        "empty a queue of commands",
        lambda c: c.queue_purge("credits.commands.0"),
        _refused("queue", "credits.commands.0"),
    ),
    Act(
        "delete a queue of commands",
        lambda c: c.queue_delete("credits.commands.0"),
        _refused("queue", "credits.commands.0"),
    ),
    Act(
        "take a queue of commands off its exchange",
        lambda c: c.queue_unbind("credits.commands.0", "credits.commands", "1"),
        _refused("queue", "credits.commands.0"),
    ),
    Act("declare a queue of commands", _declare("credits.commands.99"), _refused("queue", "credits.commands.99")),
    Act("hear all commands", _bind("chat.own", "credits.commands", "1"), _refused("exchange", "credits.commands")),
    Act(
        "delete the commands' exchange",
        lambda c: c.exchange_delete("credits.commands"),
        _refused("exchange", "credits.commands"),
    ),
    Act("write a command past the exchange", _publish("", "credits.commands.0"), _refused("exchange", "amq.default")),
    Act("consume dead copies", _consume("credits.dead"), _refused("queue", "credits.dead")),
    Act("empty the queue of dead copies", lambda c: c.queue_purge("credits.dead"), _refused("queue", "credits.dead")),
    Act("forge a dead copy", _publish("credits.dead", "credits.dead"), _refused("exchange", "credits.dead")),
    Act("read the log of all events", _consume("credits.events.log"), _refused("queue", "credits.events.log")),
    Act(
        "delete the log of all events",
        lambda c: c.queue_delete("credits.events.log"),
        _refused("queue", "credits.events.log"),
    ),
    Act(
        "take the log off the events' exchange",
        lambda c: c.queue_unbind("credits.events.log", "credits.events", "#"),
        _refused("queue", "credits.events.log"),
    ),
    Act(
        "delete the events' exchange",
        lambda c: c.exchange_delete("credits.events"),
        _refused("exchange", "credits.events"),
    ),
    Act("publish an event", _publish("credits.events", "credits.used.chat"), _refused("exchange", "credits.events")),
    Act("tell of a payment as Stripe would", _publish("stripe.events", ""), _refused("exchange", "stripe.events")),
    Act("ring for mails", _publish("mana.mail", ""), _refused("exchange", "mana.mail")),
    *(
        Act(f"publish to `{name}`", _publish(name, "credits.used.chat"), _refused("exchange", name))
        for name in ("amq.topic", "amq.direct", "amq.fanout", "amq.headers")
    ),
    Act(
        "hear what the broker logs",
        _bind("chat.own", "amq.rabbitmq.trace", "#"),
        _refused("exchange", "amq.rabbitmq.trace"),
    ),
    Act(
        "have its dead messages published as events",
        _declare("chat.dying", **{"x-dead-letter-exchange": "credits.events"}),
        _refused("exchange", "credits.events"),
    ),
    Act(
        "have its dead messages put into a queue of commands",
        _declare("chat.dying", **{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "credits.commands.0"}),
        _refused("exchange", "amq.default"),
    ),
    Act(
        "have what its exchange cannot route published as events",
        lambda c: c.exchange_declare("chat.leading", arguments={"alternate-exchange": "credits.events"}),
        _refused("exchange", "credits.events"),
    ),
    Act(
        "lead its own exchange into the events' exchange",
        lambda c: c.exchange_bind("credits.events", "chat.fanout"),
        _refused("exchange", "credits.events"),
    ),
)
_EVENTS: Final = (
    *(
        Act(f"bind its own queue to `{key}`", _bind("chat.own", "credits.events", key), _no_topic(key))
        for key in (
            "credits.*.mail",
            "credits.used.mail",
            "#",
            "credits.#",
            "credits.*.*",
            "*.*.*",
            "*.*.other",
            "#.mail",
        )
    ),
    Act(
        "bind its own exchange to `#`",
        lambda c: c.exchange_bind("chat.fanout", "credits.events", routing_key="#"),
        _no_topic("#"),
    ),
)
_NAMES: Final = (
    Act(
        "publish under another login's name",
        _publish("credits.commands", "x", user_id="mana-worker"),
        "PRECONDITION_FAILED - user_id property set to 'mana-worker' but authenticated user was '" + LOGIN + "'",
    ),
    Act(
        "publish under another app's name",
        _publish("credits.commands", "x", user_id="mail"),
        f"PRECONDITION_FAILED - user_id property set to 'mail' but authenticated user was '{LOGIN}'",
    ),
)

NO_LOGIN: Final = (
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."
)


@dataclass(frozen=True)
class Entry:
    """A way in that is tried: with a password (``None``: its own secret), into a virtual host."""

    what: str
    said: str
    password: str | None = None
    vhost: str = ""


ENTRIES: Final = (
    Entry("log in with a wrong secret", NO_LOGIN, password="mana_app_wrong"),
    Entry(
        "enter another virtual host", f"NOT_ALLOWED - access to vhost 'other' refused for user '{LOGIN}'", vhost="other"
    ),
)
REVOKED: Final = ("log in with a secret that was revoked", NO_LOGIN)
ENDED: Final = ("keep a connection whose secret was revoked", f"CONNECTION_FORCED - user '{LOGIN}' is deleted")
CONNECTIONS: Final = (
    f"open more than {CONNECTIONS_MAX} connections",
    f"NOT_ALLOWED - connection refused for user '{LOGIN}': user connection limit ({CONNECTIONS_MAX}) is reached",
)
CHANNELS: Final = (
    f"open more than {CONNECTIONS_MAX} channels",
    (
        f"NOT_ALLOWED - number of channels opened for user '{LOGIN}' has reached the maximum allowed user limit of"
        f" ({CONNECTIONS_MAX})"
    ),
)
MANAGEMENT: Final = ("ask RabbitMQ's management API", "401 not_authorised: Not management user")


@dataclass(frozen=True)
class Order:
    """A command that RabbitMQ lets through and the ledger refuses, with the error's code."""

    what: str
    type: str
    fields: dict[str, Any]
    code: str


_TOLD: Final = {"idempotencyKey": "k", "description": "d"}
ORDERS: Final = (
    Order(
        "use credits under another app's `appId`",
        "credits.use",
        {"amount": 1, "appId": "mail", **_TOLD},
        "app_mismatch",
    ),
    Order("grant credits", "credits.grant", {"amount": 1, "source": "bonus", **_TOLD}, "forbidden"),
    Order("correct a balance", "credits.adjust", {"amount": 1, "reason": "r", **_TOLD}, "forbidden"),
    Order("open an account", "account.open", {"idempotencyKey": "k"}, "forbidden"),
    Order("freeze an account", "account.freeze", {"reason": "r", "idempotencyKey": "k"}, "forbidden"),
)

FORBIDDEN: Final[dict[str, tuple[Act, ...]]] = {
    "Another app's queues and exchanges": _OTHERS,
    "Ours": _OURS,
    "Events that are not its own": _EVENTS,
    "Another's name": _NAMES,
}
"""By what it is about."""
