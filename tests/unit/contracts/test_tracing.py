"""Traces are off unless a collector is named, and cost nothing then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from contracts import tracing

ROOT: Final = Path(__file__).resolve().parents[3]
ENDPOINT: Final = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_SERVICE_NAME": "mana"},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "true"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_they_are_off(environment: dict[str, str]) -> None:
    assert tracing.spans("mana-front", "i", environment) is None


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_a_protocol_that_we_do_not_speak_is_named(name: str) -> None:
    environment = {name: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_PROTOCOL is grpc"):
        tracing.spans("mana-front", "i", environment)


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "contracts.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(
        ValueError, match=r"opentelemetry\.sdk\.trace is not installed: pip install -r ops/lock/otel\.txt"
    ):
        tracing.spans("mana-front", "i", ENDPOINT)


def test_nothing_of_them_is_imported_while_they_are_off() -> None:
    """Not by the front, nor by a worker. OpenTelemetry's interface is there, as FastAPI brings it along; where its SDK
    is installed, redis-py looks for the part of it that is for metrics."""
    listed = (
        "import sys, api.__main__, workers.__main__; from contracts import tracing;"
        " assert tracing.spans('mana-front', 'i', {}) is None;"
        " print(*(name for name in sys.modules if name.startswith(('opentelemetry.sdk.trace', 'opentelemetry.exporter',"
        " 'opentelemetry.proto', 'google.protobuf', 'contracts.spans', 'workers.tracing', 'api.tracing'))))"
    )
    assert subprocess.check_output([sys.executable, "-c", listed], cwd=ROOT, text=True).strip() == ""
