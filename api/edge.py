"""The outermost layer: every answer gets its request's id and is measured; what was refused or unexpected is logged."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any, Final

import structlog
import uuid_utils
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import code_of
from api.metrics import HttpMetrics
from api.throttle import told
from contracts import trace_context

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
REQUEST_ID: Final = "x-request-id"
_UNTOLD: Final = frozenset({404, 405, 429})
"""What anybody is answered as often as they ask, and nobody asks us about: counted, and not logged."""

_log = structlog.get_logger(__name__)


class Edge:
    """Wraps the whole application, its own error handling included."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id, traceparent = _request_id(headers), trace_context.read(headers.get(trace_context.TRACEPARENT))
        bound = {"request_id": request_id}
        if (trace_id := trace_context.trace_id(traceparent)) is not None:
            bound["trace_id"] = trace_id
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        carried = trace_context.current.set(traceparent)
        with structlog.contextvars.bound_contextvars(**bound):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                # The framework has answered 500 before it raised this again.
                _log.exception("a request failed", method=scope["method"], path=scope["path"])
            else:
                if status >= HTTPStatus.BAD_REQUEST:
                    _log_refusal(scope, status)
            finally:
                trace_context.current.reset(carried)
                self._metrics.observe(scope["method"], route_of(scope), status, time.perf_counter() - started)


def _log_refusal(scope: Scope, status: int) -> None:
    """One line by which the request's id is found. Only of what was charged to a limit, so that nobody fills the disk;
    never the path, the query or the body."""
    if status not in _UNTOLD and told.tightest(scope) is not None:
        _log.info(
            "a request was refused", method=scope["method"], route=route_of(scope), status=status, code=code_of(scope)
        )


def _request_id(headers: Headers) -> str:
    """The client's own id where it is harmless, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())


def route_of(scope: Scope) -> str:
    """The route's template: never the path itself, of which there are endlessly many."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "none"
