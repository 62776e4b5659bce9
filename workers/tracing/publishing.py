"""The span of an event's publish: in the trace of the command that it tells of, until the broker has confirmed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from opentelemetry.trace import SpanKind

from contracts.spans import Spans, fail
from contracts.topology import EVENTS_EXCHANGE, EVENTS_LOG
from contracts.trace_context import read
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Settled, Verdict


class _Told(msgspec.Struct):
    type: str = "unknown"
    traceparent: str | None = None


_TOLD: Final = msgspec.json.Decoder(_Told)


class TracedPublisher(Publisher):
    """Publishes as the other does."""

    def __init__(self, link: Link, spans: Spans) -> None:
        super().__init__(link)
        self._spans = spans

    @classmethod
    def opener(cls, spans: Spans) -> Callable[[Link], Awaitable[Publisher]]:
        """What opens one on a link."""

        async def opened(link: Link) -> Publisher:
            publisher = cls(link, spans)
            await publisher.begin()
            return publisher

        return opened

    def publish(self, message: Publication, settled: Settled) -> None:
        """Only events say whose trace they are of."""
        if message.exchange != EVENTS_EXCHANGE and message.routing_key != EVENTS_LOG:
            super().publish(message, settled)
            return
        told = _TOLD.decode(message.body)
        attributes = {
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "send",
            "messaging.destination.name": message.exchange or message.routing_key,
            "messaging.message.id": message.message_id,
        }
        span = self._spans.begin(f"publish {told.type}", SpanKind.PRODUCER, read(told.traceparent), attributes)

        def ended(verdict: Verdict) -> None:
            span.set_attribute("mana.verdict", verdict.value)
            if verdict is not Verdict.CONFIRMED:
                fail(span, verdict.value)
            span.end()
            settled(verdict)

        super().publish(message, ended)
