"""The AsyncAPI 3.0 document (asyncapi.com/docs/reference/specification/v3.0.0): commands in, replies and events out."""

from __future__ import annotations

from typing import Any, Final

from contracts.events import EVENT_CONTENT_TYPE, MEANINGS, EventType
from contracts.fields import COMMAND_BYTES_MAX
from contracts.replies import CONTENT_TYPE, REPLY_TYPE, BalanceReadBody, DoneBody, RefusedBody
from contracts.schema_documents import EVENT_TYPES, PUBLIC_COMMANDS, Json, components, event_model
from contracts.topology import COMMANDS_EXCHANGE, DIRECT_REPLY_TO, EVENTS_EXCHANGE, EVENTS_LOG

_SCHEMAS: Final = "#/components/schemas/"
_PERSISTENT: Final = 2
_AMQP_BINDING: Final = "0.3.0"
_PROPERTIES: Final = "x-amqp-properties"
"""A schema of a message's AMQP properties: AsyncAPI knows headers alone, and in AMQP the two are different things."""
_COMMAND_HEADERS: Final[Json] = {
    "type": "object",
    "properties": {
        "deadline": {"type": "string", "format": "date-time", "description": "not to be carried out after it"},
        "traceparent": {"type": "string", "description": "W3C trace context"},
    },
}


def asyncapi_document() -> Json:
    """The whole document, told from the service's side: it receives commands, and sends replies and events."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mana over AMQP",
            "version": "1.0.0",
            "description": "Commands, replies and events over RabbitMQ (AMQP 0-9-1). A confirm means that a command"
            " is queued and safe; only its reply means that it is done. A message's headers are the AMQP headers table;"
            f" its AMQP properties (type, user_id, reply_to …) are under {_PROPERTIES}.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {"commands": _commands_channel(), "replies": _replies_channel(), "events": _events_channel()},
        "operations": {**_command_operations(), **_event_operations()},
        "components": {
            "messages": {**_command_messages(), REPLY_TYPE: _reply_message(), **_event_messages()},
            "schemas": components(_SCHEMAS + "{name}"),
        },
    }


def _commands_channel() -> Json:
    return {
        "address": "{userId}",
        "title": f"The exchange {COMMANDS_EXCHANGE}",
        "description": "The exchange's type is x-consistent-hash: it hashes the routing key, so that one user's"
        " commands keep their order.",
        "parameters": {"userId": {"description": "The routing key: the id of the user whom the command is about."}},
        "messages": _references(PUBLIC_COMMANDS),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": COMMANDS_EXCHANGE, "durable": True},
                "bindingVersion": _AMQP_BINDING,
            }
        },
    }


def _replies_channel() -> Json:
    return {
        "address": None,
        "title": "The address in the command's property reply_to",
        "description": f"{DIRECT_REPLY_TO}, or a queue of the client's; the default exchange brings it there.",
        "messages": _references([REPLY_TYPE]),
    }


def _events_channel() -> Json:
    return {
        "address": "{event}.{app}",
        "title": f"The topic exchange {EVENTS_EXCHANGE}",
        "description": f"At least once, in order for each user. The stream {EVENTS_LOG} keeps them for later readers.",
        "parameters": {
            "event": {"description": "The event's type.", "enum": list(EVENT_TYPES)},
            "app": {"description": "The app's id, or system."},
        },
        "messages": _references(map(_event_message_name, EVENT_TYPES)),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EVENTS_EXCHANGE, "type": "topic", "durable": True},
                "bindingVersion": _AMQP_BINDING,
            }
        },
    }


def _command_operations() -> Json:
    return {
        name: {
            "action": "receive",
            "channel": {"$ref": "#/channels/commands"},
            "summary": _first_line(command),
            "messages": [{"$ref": f"#/channels/commands/messages/{name}"}],
            "bindings": {"amqp": {"deliveryMode": _PERSISTENT, "mandatory": True, "bindingVersion": _AMQP_BINDING}},
            "reply": {
                "channel": {"$ref": "#/channels/replies"},
                "messages": [{"$ref": f"#/channels/replies/messages/{REPLY_TYPE}"}],
            },
        }
        for name, command in PUBLIC_COMMANDS.items()
    }


def _event_operations() -> Json:
    return {
        _event_message_name(event): {
            "action": "send",
            "channel": {"$ref": "#/channels/events"},
            "summary": MEANINGS[event].means,
            "description": MEANINGS[event].when,
            "messages": [{"$ref": f"#/channels/events/messages/{_event_message_name(event)}"}],
        }
        for event in EVENT_TYPES
    }


def _command_messages() -> Json:
    return {
        name: {
            "name": name,
            "title": _first_line(command),
            "contentType": CONTENT_TYPE,
            "summary": f"At most {COMMAND_BYTES_MAX} bytes, no content encoding.",
            "headers": _COMMAND_HEADERS,
            "bindings": _message_type(name),
            _PROPERTIES: _command_properties(name),
            "payload": {"$ref": _SCHEMAS + command.__name__},
        }
        for name, command in PUBLIC_COMMANDS.items()
    }


def _command_properties(name: str) -> Json:
    return {
        "type": "object",
        "required": ["type", "user_id"],
        "properties": {
            "type": {"const": name},
            "user_id": {"type": "string", "description": "the connection's login, which RabbitMQ proves"},
            "content_type": {"const": CONTENT_TYPE},
            "delivery_mode": {"const": _PERSISTENT},
            "correlation_id": {"type": "string", "description": "comes back with the reply"},
            "reply_to": {"type": "string", "description": f"where the reply goes: {DIRECT_REPLY_TO}, or a queue"},
            "message_id": {"type": "string", "description": "tells a repeat of the same message from a new try"},
        },
    }


def _message_type(name: str) -> Json:
    """The property ``type``, where AsyncAPI has a place of its own for it."""
    return {"amqp": {"messageType": name, "bindingVersion": _AMQP_BINDING}}


def _reply_message() -> Json:
    models = (DoneBody, BalanceReadBody, RefusedBody)
    return {
        "name": REPLY_TYPE,
        "title": "What became of a command",
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {"traceparent": {"type": "string", "description": "the command's"}},
        },
        "bindings": _message_type(REPLY_TYPE),
        _PROPERTIES: {
            "type": "object",
            "required": ["type", "content_type"],
            "properties": {
                "type": {"const": REPLY_TYPE},
                "content_type": {"const": CONTENT_TYPE},
                "correlation_id": {"type": "string", "description": "the command's"},
            },
        },
        "payload": {"anyOf": [{"$ref": _SCHEMAS + model.__name__} for model in models]},
    }


def _event_messages() -> Json:
    return {
        _event_message_name(event): {
            "name": event,
            "title": f"The CloudEvent {event}",
            "summary": MEANINGS[event].means,
            "contentType": EVENT_CONTENT_TYPE,
            "bindings": _message_type(event),
            _PROPERTIES: _event_properties(event),
            "payload": {"$ref": _SCHEMAS + event_model(event).__name__},
        }
        for event in EVENT_TYPES
    }


def _event_properties(event: EventType) -> Json:
    return {
        "type": "object",
        "required": ["type", "message_id", "content_type", "delivery_mode"],
        "properties": {
            "type": {"const": event},
            "message_id": {"type": "string", "description": "the event's id: the same in every repeat"},
            "content_type": {"const": EVENT_CONTENT_TYPE},
            "delivery_mode": {"const": _PERSISTENT},
        },
    }


def _event_message_name(event: EventType) -> str:
    """Events have names of their own beside the commands'."""
    return f"event.{event}"


def _references(names: Any) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _first_line(command: type) -> str:
    return (command.__doc__ or "").partition("\n")[0]
