"""What OpenAPI says of errors: the problem document, and which statuses a route may answer with."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, get_args

from api.errors import PROBLEM_TYPE
from contracts.errors import REST_STATUS, ErrorCode, LedgerErrorCode, RestErrorCode

SCHEMA_NAME: Final = "Problem"
_CODES: Final = sorted({*get_args(LedgerErrorCode), *get_args(RestErrorCode)})

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
        "code": {"type": "string", "enum": _CODES},
        "details": {"type": "object"},
    },
}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented problems of a route: those given, and what any route may answer."""
    return {status: _answer(status) for status in sorted({*statuses, 413, 500})}


def _answer(status: int) -> dict[str, Any]:
    codes: list[ErrorCode] = [code for code, its_status in REST_STATUS.items() if its_status == status]
    return {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA_NAME}"}}},
    }
