"""A request's span: what is behind it goes on with its context, as if the client had sent that."""

from __future__ import annotations

from http import HTTPMethod, HTTPStatus
from typing import Final

from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge import REQUEST_ID, route_of
from api.paths import BASE
from contracts.spans import Spans, fail, traceparent
from contracts.trace_context import TRACEPARENT, read

_METHODS: Final = frozenset(HTTPMethod)


class TracedRequests:
    """Wraps the whole application. Only what is asked below ``/api/v1``: who looks whether we live leaves no trace."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{BASE}/"):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        given = read(Headers(scope=scope).get(TRACEPARENT))
        span = self._spans.begin(method, SpanKind.SERVER, given, {"http.request.method": method})
        MutableHeaders(scope=scope)[TRACEPARENT] = traceparent(span)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                span.set_attribute("http.response.status_code", status)
                span.set_attribute("mana.request_id", MutableHeaders(scope=message).get(REQUEST_ID, ""))
                if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    fail(span, str(status))
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            route = route_of(scope)
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)
            span.end()
