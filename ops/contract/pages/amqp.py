"""The page of the AMQP side, of the AsyncAPI document."""

from __future__ import annotations

from typing import Any, Final

from contracts.events import DISPUTED, EVENT_OF_TRANSACTION, USERS_SOURCE, EventType
from contracts.schema_documents import EVENT_TYPES
from contracts.user_events import USER_EVENTS
from ops.contract.examples import OTHER, Examples
from ops.contract.forms import Json, Schemas
from ops.contract.pages import errors, html, shapes

_PROPERTIES: Final = "x-amqp-properties"
_TRANSACTIONS: Final[dict[str, str]] = {
    **{event: kind for kind, event in EVENT_OF_TRANSACTION.items()},
    DISPUTED: "clawback",
}
_TAKES: Final = frozenset({"usage", "expiry", "clawback"})


def page(document: Json, error_codes: Json) -> str:
    """Commands, replies, events, error codes, schemas."""
    told = _Told(document)
    return html.page(
        "Mana over AMQP",
        html.paragraph(document["info"]["description"]),
        html.made_of("asyncapi.json", "AsyncAPI 3"),
        f"<nav>{html.listed(told.contents())}</nav>",
        *told.commands(),
        *told.replies(),
        *told.events(),
        *errors.section(error_codes, over_amqp=True),
        html.heading(2, "Schemas", "schemas"),
        *shapes.named(document["components"]["schemas"]),
    )


def example_event(document: Json, event: EventType) -> Any:
    """An event of that type as it is sent."""
    message = document["components"]["messages"][f"event.{event}"]
    words = {"source": USERS_SOURCE} if event in USER_EVENTS else _of_transaction(_TRANSACTIONS.get(event))
    example = Examples(document, **words).of(message["payload"])
    if user := example["data"].get("user"):
        user["id"] = example["subject"]
    return example


def _of_transaction(kind: str | None) -> dict[str, Any]:
    if kind is None or kind in _TAKES:
        return {"type": kind, "amount": -3}
    return {"type": kind, "balanceBefore": 144} | ({"refersTo": OTHER} if kind == "refund" else {})


class _Told:
    def __init__(self, document: Json) -> None:
        self._document, self._schemas = document, Schemas(document)
        self._channels: Json = document["channels"]
        self._messages: Json = document["components"]["messages"]

    def contents(self) -> list[str]:
        """Links to all that stands on the page."""
        names = [name for channel in self._channels.values() for name in channel["messages"]]
        links = [html.link(f"#{name}", html.code(name.removeprefix("event."))) for name in names]
        return [*links, html.link("#error-codes", "Error codes"), html.link("#schemas", "Schemas")]

    def commands(self) -> list[str]:
        """What clients send."""
        channel = self._channels["commands"]
        first = self._messages[next(iter(channel["messages"]))]
        return [
            *self._head(channel, "Commands"),
            html.paragraph("The properties of each command; `type` is its name:"),
            shapes.fields(first[_PROPERTIES] | {"properties": _any_type(first[_PROPERTIES]["properties"])}),
            html.paragraph("Its headers:"),
            shapes.fields(first["headers"]),
            *(self._message(name, self._messages[name]["title"]) for name in channel["messages"]),
        ]

    def replies(self) -> list[str]:
        """What commands are answered with."""
        channel = self._channels["replies"]
        return [
            *self._head(channel, "Replies"),
            *(self._message(name, self._messages[name]["title"]) for name in channel["messages"]),
        ]

    def events(self) -> list[str]:
        """What subscribers are told."""
        channel = self._channels["events"]
        return [
            *self._head(channel, "Events"),
            f"<p>What may change in them: {html.link('events.md', 'events.md')}.</p>",
            *(
                self._message(name, self._messages[name]["summary"], self._document["operations"][name]["description"])
                for name in channel["messages"]
            ),
        ]

    def _head(self, channel: Json, title: str) -> list[str]:
        routing = [
            (html.code(name), html.prose(told.get("description", "")), ", ".join(map(html.code, told.get("enum", []))))
            for name, told in channel.get("parameters", {}).items()
        ]
        address = channel["address"]
        return [
            html.heading(2, title),
            html.paragraph(f"{channel['title']}. {channel['description']}"),
            html.paragraph(f"The routing key is `{address}`:") if address else "",
            html.table(("part", "", "values"), routing),
        ]

    def _message(self, name: str, title: str, description: str = "") -> str:
        message = self._messages[name]
        return html.folded(
            f"<strong>{html.code(name.removeprefix('event.'))}</strong> {html.prose(title)}",
            html.paragraph(description),
            *self._payload(name, message["payload"]),
            anchor=name,
        )

    def _payload(self, name: str, payload: Json) -> list[str]:
        parts: list[str] = []
        for schema in payload.get("anyOf", [payload]):
            found: Json = self._schemas.at(schema["$ref"][1:])
            event: EventType | None = next((event for event in EVENT_TYPES if name == f"event.{event}"), None)
            example = example_event(self._document, event) if event else Examples(self._document).of(schema)
            parts += [f"<p>{shapes.kind(schema)}:</p>", shapes.fields(found), html.block(example)]
        return parts


def _any_type(properties: Json) -> Json:
    return {**properties, "type": {"type": "string", "description": "the command's name"}}
