"""Whether traces are wanted: by OpenTelemetry's own variables. Where they are not, nothing of its SDK is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from contracts.spans import Spans

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"


def spans(service: str, instance: str, environment: Mapping[str, str] = os.environ) -> Spans | None:
    """Where this process's spans go; ``None`` where nobody named a collector, or traces are switched off.

    Raises ``ValueError`` in words for who set the variables: a library is missing, or the collector is to be spoken to
    as we cannot.
    """
    if not _wanted(environment):
        return None
    protocol = next((environment[name] for name in _PROTOCOLS if environment.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and spans are sent by {_SPOKEN} alone")
    try:
        from contracts.spans import Spans  # noqa: PLC0415  its memory and its start are for who wants traces
    except ImportError as error:
        raise ValueError(
            f"{_named(environment)} is set, and {error.name} is not installed: pip install -r ops/lock/otel.txt"
        ) from error
    return Spans.exported(service, instance)


def _wanted(environment: Mapping[str, str]) -> bool:
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return bool(_named(environment)) and not off


def _named(environment: Mapping[str, str]) -> str | None:
    return next((name for name in _ENDPOINTS if environment.get(name)), None)
