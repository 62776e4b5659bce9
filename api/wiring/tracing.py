"""Puts spans in their places, where somebody wants traces; who does not pays nothing for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from api.app import Layer
from api.broker.client import BrokerClient
from api.metrics import BrokerMetrics

if TYPE_CHECKING:
    from contracts.spans import Spans


def broker(url: str, metrics: BrokerMetrics, spans: Spans | None) -> BrokerClient:
    """Where commands go."""
    if spans is None:
        return BrokerClient(url, metrics)
    from api.tracing.commands import TracedBrokerClient  # noqa: PLC0415  brings OpenTelemetry along

    return TracedBrokerClient(url, metrics, spans)


def requests(spans: Spans | None) -> Sequence[Layer]:
    """What stands around all else."""
    if spans is None:
        return ()
    from api.tracing.requests import TracedRequests  # noqa: PLC0415  brings OpenTelemetry along

    return (lambda app: TracedRequests(app, spans),)
