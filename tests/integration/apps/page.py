"""``python -m tests.integration.apps.page``: docs/reference/app-rights.md anew, of the acts that the tests try."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ops.place import CHECKOUT
from tests.integration.apps.acts import (
    ALLOWED,
    CHANNELS,
    CONNECTIONS,
    ENDED,
    ENTRIES,
    FORBIDDEN,
    MANAGEMENT,
    ORDERS,
    REVOKED,
)

PAGE: Final = CHECKOUT / "docs" / "reference" / "app-rights.md"

_BEFORE: Final = """\
# What an app's login may do at the broker, and what RabbitMQ says to the rest

Made by `python -m tests.integration.apps.page` of what the tests try (`tests/integration/apps/acts.py`), each with a
real client whose login the keeper made, word for word as RabbitMQ 3.10 answers. The app is `chat`, with the permissions
that a new one has (`credits:use`, `credits:refund`, `events:read`); another one is `mail`.
"""
_AFTER: Final = """\
## What RabbitMQ lets through, and who refuses it then

A command is judged by the ledger: it believes the login that RabbitMQ proved (`user_id`), and knows of each app what it
may do.

{orders}

Ways into the commands' exchange other than publishing RabbitMQ does not tell apart: whoever may publish there may bind
an exchange of their own to it, or have a queue pass on there what it gives up. The keeper takes such bindings and
queues away when it next looks, within half a minute ([operations](../operations/apps.md)).

RabbitMQ asks nobody for a right to *declare passively*: an app can learn that a queue of some name exists, and how many
messages and consumers it has. And a limit on connections counts what is open: so many at one moment may be a few more.
"""


def render() -> str:
    """The whole page."""
    tables = [(title, ((act.what, act.said) for act in acts)) for title, acts in FORBIDDEN.items()]
    entering = [*((entry.what, entry.said) for entry in ENTRIES), REVOKED, ENDED, CONNECTIONS, CHANNELS, MANAGEMENT]
    parts = [
        _BEFORE,
        "## It may\n\n" + "".join(f"- {what}\n" for what in ALLOWED),
        "## It may not",
        *(f"### {title}\n\n{_table(rows, 'what RabbitMQ says')}" for title, rows in tables),
        "### Getting in\n\n" + _table(entering, "what RabbitMQ says"),
        _AFTER.format(orders=_table(((order.what, order.code) for order in ORDERS), "the ledger's answer")),
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _table(rows: Iterable[tuple[str, str]], said: str) -> str:
    lines = [f"| {what} | `{answer}` |" for what, answer in rows]
    return "\n".join([f"| tried | {said} |", "| --- | --- |", *lines])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
