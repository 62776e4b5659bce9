"""The span of a command that the front sends: until its reply is here, or until the broker has it."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry.trace import SpanKind

from api.broker.client import BrokerClient
from api.broker.commands import OutgoingCommand
from api.metrics import BrokerMetrics
from contracts.spans import Spans, fail, traceparent
from contracts.topology import COMMANDS_EXCHANGE


class TracedBrokerClient(BrokerClient):
    """Sends as the other does. The command carries the span's context instead of the request's, and its own time."""

    def __init__(self, url: str, metrics: BrokerMetrics, spans: Spans) -> None:
        super().__init__(url, metrics)
        self._spans = spans

    async def ask(self, command: OutgoingCommand, wait_seconds: float) -> bytes:
        """As it says there."""
        with self._traced("ask", SpanKind.CLIENT, command) as carrying:
            return await super().ask(carrying, wait_seconds)

    async def send(self, command: OutgoingCommand) -> None:
        """As it says there."""
        with self._traced("send", SpanKind.PRODUCER, command) as carrying:
            await super().send(carrying)

    @contextmanager
    def _traced(self, how: str, kind: SpanKind, command: OutgoingCommand) -> Generator[OutgoingCommand]:
        attributes = {
            "messaging.system": "rabbitmq",
            "messaging.operation.type": "send",
            "messaging.destination.name": COMMANDS_EXCHANGE,
            "messaging.message.id": command.message_id,
            "mana.user_id": command.user_id,
        }
        span = self._spans.begin(f"{how} {command.type}", kind, command.traceparent, attributes)
        try:
            sent_at = time.time_ns() // 1_000_000 if span.is_recording() else None
            yield replace(command, traceparent=traceparent(span), sent_at=sent_at)
        except BaseException as error:
            fail(span, type(error).__name__)
            raise
        finally:
            span.end()
