"""Events as messages. Pure."""

from __future__ import annotations

from typing import Final

from contracts.events import (
    EVENT_CONTENT_TYPE,
    Event,
    encode_event,
    event_routing_key,
    low_event,
    transaction_event,
)
from contracts.topology import EVENTS_EXCHANGE, EVENTS_LOG
from workers.broker.frames import PERSISTENT, properties
from workers.broker.publisher import Publication
from workers.ledger.happening import Happening

_DEFAULT_EXCHANGE: Final = ""


def messages_of(row: Happening) -> tuple[Publication, ...]:
    """All that a row of the ledger is told by, in order, the same to the byte each time: the transaction's event, and
    behind it the one of the threshold that it crossed, if any."""
    transaction, balance, app_id = row.transaction, row.balance, row.transaction.app_id
    told = event_message(transaction_event(transaction, balance, row.traceparent), app_id)
    if row.low_threshold is None:
        return (told,)
    low = low_event(transaction, balance, row.low_threshold, row.traceparent)
    return told, event_message(low, app_id)


def event_message(event: Event, app_id: str | None) -> Publication:
    """An event for everybody: mandatory, since the log at least is bound to all."""
    header = properties(
        content_type=EVENT_CONTENT_TYPE, delivery_mode=PERSISTENT, message_id=event.id, type_=event.type
    )
    return Publication(EVENTS_EXCHANGE, event_routing_key(event.type, app_id), event.id, header, encode_event(event))


def log_copy(message: Publication) -> Publication:
    """The same event for the log alone, by the default exchange."""
    return Publication(_DEFAULT_EXCHANGE, EVENTS_LOG, message.message_id, message.header, message.body)
