"""The page that leads to the others."""

from __future__ import annotations

from typing import Final

from ops.contract.pages import html

_ROWS: Final = (
    ("amqp.html", "Commands, replies and events over RabbitMQ, for people", "asyncapi.json", "AsyncAPI 3"),
    ("rest.html", "Sign-in, credits, administration over REST, for people", "openapi.json", "OpenAPI 3.1"),
    ("events.md", "Event types: what each means, when it is sent, what may change in it", "", ""),
)


def page() -> str:
    """Links, and what all of it is."""
    rows = [
        (html.link(target, target), text, f"{html.link(source, source)} ({kind})" if source else "")
        for target, text, source, kind in _ROWS
    ]
    return html.page(
        "Mana: the contract",
        "<p>What clients of the service see. These pages are made from the code, and need no internet.</p>",
        html.table(("page", "", "for programs"), rows),
        "<p>The JSON Schema of each command, reply and event is a file of its own in the folder "
        "<code>contracts/schemas</code>.</p>",
    )
