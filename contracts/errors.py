"""The error codes that clients see, and what each one means over REST."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Struct

from contracts.fields import OPEN

LedgerErrorCode = Literal[
    "invalid_request",
    "insufficient_credits",
    "unknown_user",
    "account_frozen",
    "idempotency_conflict",
    "app_mismatch",
    "forbidden",
    "deadline_exceeded",
    "overloaded",
    "internal",
]
RestErrorCode = Literal[
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "payload_too_large",
    "rate_limited",
    "email_taken",
    "payments_disabled",
]
ErrorCode = Literal[LedgerErrorCode, RestErrorCode]

REST_STATUS: Final[dict[ErrorCode, int]] = {
    "invalid_request": 422,
    "insufficient_credits": 402,
    "unknown_user": 404,
    "account_frozen": 403,
    "idempotency_conflict": 409,
    "app_mismatch": 403,
    "forbidden": 403,
    "deadline_exceeded": 504,
    "overloaded": 503,
    "internal": 500,
    "unauthorized": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "payload_too_large": 413,
    "rate_limited": 429,
    "email_taken": 409,
    "payments_disabled": 503,
}
"""HTTP status for each code (RFC 9110); ``overloaded`` and ``rate_limited`` also carry ``Retry-After``."""


class Error(Struct, frozen=True, rename="camel"):
    """Why something was refused: a stable code, a sentence for people, and figures for programs."""

    code: Annotated[ErrorCode, OPEN]
    message: str
    details: dict[str, Any] = {}


class FieldError(Struct, frozen=True, rename="camel"):
    """One field that does not fit, by its name on the wire (dots lead into nested fields)."""

    field: str
    message: str


def invalid(*problems: FieldError) -> Error:
    """``invalid_request`` with ``details.errors`` naming each field that does not fit."""
    message = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
    errors = [{"field": problem.field, "message": problem.message} for problem in problems]
    return Error("invalid_request", message, {"errors": errors})


def invalid_field(field: str, message: str) -> Error:
    """``invalid_request`` for a single field."""
    return invalid(FieldError(field, message))
