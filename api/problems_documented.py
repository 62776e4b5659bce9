"""What OpenAPI says of errors: the problem document, and with which codes a route may answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, get_args

from api.errors import PROBLEM_TYPE
from contracts.errors import REST_STATUS, ErrorCode, LedgerErrorCode, RestErrorCode

SCHEMA_NAME: Final = "Problem"
_CODES: Final = sorted({*get_args(LedgerErrorCode), *get_args(RestErrorCode)})

_ANYWHERE: Final[tuple[ErrorCode, ...]] = ("rate_limited", "overloaded", "internal")

SCHEMA: Final[dict[str, Any]] = {
    "title": SCHEMA_NAME,
    "description": "A problem document (RFC 9457); `code` is stable, `details` are for programs.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "details"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": _CODES, "x-open": True},
        "details": {"type": "object"},
    },
}


def answers(*codes: ErrorCode, limited: bool = True) -> dict[int | str, dict[str, Any]]:
    """The documented problems of a route by their status: those given, and those that any route may answer.

    A route that no limit on requests is for says so with ``limited``.
    """
    anywhere = _ANYWHERE if limited else _ANYWHERE[1:]
    every: tuple[ErrorCode, ...] = (*codes, *(code for code in anywhere if code not in codes))
    statuses = sorted({REST_STATUS[code] for code in every})
    return {status: _answer(status, [code for code in every if REST_STATUS[code] == status]) for status in statuses}


def of_status(status: int, code: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """The documented problem of a route that answers a code with a status of its own."""
    return {status: _answer(status, [code])}


def _answer(status: int, codes: list[ErrorCode]) -> dict[str, Any]:
    narrowed = {"properties": {"code": {"enum": codes}}}
    schema = {"allOf": [{"$ref": f"#/components/schemas/{SCHEMA_NAME}"}, narrowed]}
    fields = ("RateLimit", "RateLimit-Policy", "Retry-After") if "rate_limited" in codes else ()
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "headers": {name: {"schema": {"type": "string"}} for name in fields},
        "content": {PROBLEM_TYPE: {"schema": schema}},
    }
