"""A collector of traces: what comes by OTLP/HTTP is kept as it came, and read as its own library reads it."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from tests.integration.workers.running import until


@dataclass(frozen=True)
class Seen:
    """A span; ids in hexadecimal, ``parent`` empty where it is the first of its trace; ``links`` are others' ids."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    links: tuple[str, ...]


@dataclass
class Collector:
    """``endpoint`` is for ``OTEL_EXPORTER_OTLP_ENDPOINT``; ``bodies`` are all that came."""

    endpoint: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])

    @property
    def settings(self) -> dict[str, str]:
        """For a process that is to send its spans here, and soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}

    def spans(self, trace: str) -> dict[str, Seen]:
        """Those of a trace, by name."""
        return {span.name: span for span in self.all() if span.trace == trace}

    def all(self) -> list[Seen]:
        """Every span so far."""
        return [span for body in list(self.bodies) for span in _read(body)]

    async def has(self, trace: str, *names: str) -> dict[str, Seen]:
        """Waits until a trace has spans of these names; answers the trace."""

        async def came() -> bool:
            return set(names) <= set(self.spans(trace))

        await until(came, f"{names} are in the trace")
        return self.spans(trace)


@contextmanager
def collecting() -> Generator[Collector]:
    """A collector until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            collector.bodies.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.endpoint = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()


def _read(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Seen(
            service=str(_values(list(of_process.resource.attributes))["service.name"]),
            name=span.name,
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            began=span.start_time_unix_nano,
            ended=span.end_time_unix_nano,
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
            attributes=_values(list(span.attributes)),
            links=tuple(link.span_id.hex() for link in span.links),
        )
        for of_process in request.resource_spans
        for scope in of_process.scope_spans
        for span in scope.spans
    ]


def _values(attributes: list[KeyValue]) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}
