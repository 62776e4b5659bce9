"""Errors as clients see them: problem documents (RFC 9457) with the contract's code and details, for everything.

Whatever fails on the way to an answer ends here: our own refusals, the framework's, and what nobody expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPMethod, HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from api.text import printable
from api.wording import of_pydantic
from contracts.errors import REST_STATUS, Error, ErrorCode, FieldError, invalid, invalid_field

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1
_CODE: Final = "problem"
_CHALLENGE: Final = "www-authenticate"
BAD_TOKEN: Final = {_CHALLENGE: 'Bearer error="invalid_token"'}
"""Header fields of a 401 to who showed an access token; without one there is nothing more to say (RFC 6750, 3.1)."""
_CODE_OF_STATUS: Final[dict[int, ErrorCode]] = {
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
}


_IN_WORDS: Final[dict[ErrorCode, str]] = {
    "not_found": "there is nothing at this path",
    "method_not_allowed": "this path knows other methods only: the header Allow names them",
    "payload_too_large": "the body is too large",
    "internal": "the service failed",
}
_NOT_SAID_TO_BE_JSON: Final = "is JSON only with the header Content-Type: application/json"
_UNREADABLE: Final = invalid_field("body", "cannot be read")


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """Ends a request with one of the contract's errors."""

    def __init__(self, error: Error, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error.code)
        self.error = error
        self.headers = dict(headers or {})


class Answered(Exception):  # noqa: N818 - as above
    """Ends a request with an answer in the form of another standard."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Unavailable(Exception):  # noqa: N818 - named for what it says of a server, like HTTP's 503
    """A server that we need is away, or we are full: nothing was done, and a later try may succeed."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


class _Problem(Response):
    """Leaves its code with the request, for whoever writes down what became of it."""

    code: ErrorCode = "internal"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})[_CODE] = self.code
        await super().__call__(scope, receive, send)


def code_of(scope: Scope) -> ErrorCode | None:
    """The code of the problem that a request was answered with; ``None`` where it was none."""
    return scope.get("state", {}).get(_CODE)


def refuse(code: ErrorCode, message: str, details: dict[str, Any] | None = None) -> Refusal:
    """A refusal to be raised."""
    return Refusal(Error(code, message, details or {}))


def refuse_field(field: str, message: str) -> Refusal:
    """``invalid_request`` for one field, to be raised."""
    return Refusal(invalid_field(field, message))


def problem(error: Error, headers: Mapping[str, str] | None = None, status: int | None = None) -> Response:
    """The error's problem document; with the status that the contract gives its code, unless a route has another."""
    status = REST_STATUS[error.code] if status is None else status
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "details": error.details,
    }
    response = _Problem(msgspec.json.encode(content), status, dict(headers or {}), PROBLEM_TYPE)
    response.code = error.code
    response.headers.setdefault("cache-control", "no-store")
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers.setdefault(_CHALLENGE, "Bearer")
    if error.code in {"overloaded", "rate_limited"}:
        response.headers.setdefault("retry-after", str(RETRY_AFTER_SECONDS))
    return response


def install(app: FastAPI) -> None:
    """Makes every error of the application a problem document."""
    for kind in (Refusal, Answered, Unavailable, HTTPException, RequestValidationError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    match error:
        case Refusal():
            return problem(error.error, error.headers)
        case Answered():
            return error.response
        case Unavailable():
            return problem(Error("overloaded", str(error)))
        case RequestValidationError():
            return problem(invalid(*(_field_error(entry, request) for entry in error.errors()[:50])))
        case ClientDisconnect():
            return problem(_UNREADABLE)  # nobody reads it: it is only no fault of ours
        case HTTPException():
            return _framework_problem(error, request)
        case _:
            # The framework raises it again after this answer, and the edge logs it with the request's id.
            return problem(Error("internal", "the service failed; the request's id finds the reason in our logs"))


def _framework_problem(error: HTTPException, request: Request) -> Response:
    """404, 405 and the like."""
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return problem(_UNREADABLE, error.headers)
    code = _CODE_OF_STATUS.get(error.status_code, "internal")
    headers = {"allow": _allowed(request)} if code == "method_not_allowed" else error.headers
    return problem(Error(code, _IN_WORDS[code]), headers)


def _allowed(request: Request) -> str:
    """All methods of the path: the framework names those of its first route alone, RFC 9110 (10.2.1) wants each."""
    scopes = ({**request.scope, "method": method} for method in HTTPMethod)
    return ", ".join(
        scope["method"]
        for scope in scopes
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    )


def _field_error(entry: Mapping[str, Any], request: Request) -> FieldError:
    where, *path = entry["loc"]
    name = ".".join(str(part) for part in path) if where in {"body", "query", "path", "header"} else str(where)
    if entry["type"] == "json_invalid":
        return FieldError("body", "is not JSON in UTF-8")
    if entry["type"] == "model_attributes_type" and not path:
        return FieldError("body", "is not an object" if _is_json(request) else _NOT_SAID_TO_BE_JSON)
    return FieldError(printable(name) or "body", printable(of_pydantic(entry)))


def _is_json(request: Request) -> bool:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
