"""Goal: every error code of the contract, with its status."""

from __future__ import annotations

from typing import get_args

from contracts.errors import REST_STATUS, ErrorCode, FieldError, LedgerErrorCode, RestErrorCode, invalid

CONTRACT = {
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


def test_the_contracts_table() -> None:
    assert REST_STATUS == CONTRACT
    assert {*get_args(LedgerErrorCode), *get_args(RestErrorCode)} == CONTRACT.keys() == set(get_args(ErrorCode))


def test_invalid_names_each_field() -> None:
    error = invalid(FieldError("amount", "is required"), FieldError("appId", "is not known"))
    assert error.message == "amount: is required; appId: is not known"
    assert error.details == {
        "errors": [
            {"field": "amount", "message": "is required"},
            {"field": "appId", "message": "is not known"},
        ]
    }
