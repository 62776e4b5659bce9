"""What OpenAPI says of credits, generated from the contract's own structures."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from api.credits.views import (
    AdjustRequest,
    Alert,
    BalanceView,
    Completed,
    GrantRequest,
    Package,
    Pending,
    Price,
    Purchase,
    RefundRequest,
    RefusedOperation,
    UsageView,
    UseRequest,
    UseResult,
)
from contracts.commands import Adjust, Command, Grant, Refund
from contracts.replies import Lot, Transaction

_REFERENCE: Final = "#/components/schemas/{name}"
_TYPES: Final = (
    AdjustRequest,
    Alert,
    BalanceView,
    Completed,
    GrantRequest,
    Lot,
    Package,
    Pending,
    Price,
    Purchase,
    RefundRequest,
    RefusedOperation,
    Transaction,
    UsageView,
    UseRequest,
    UseResult,
)
_BODIES: Final[dict[type[Command], type[Struct]]] = {
    Refund: RefundRequest,
    Grant: GrantRequest,
    Adjust: AdjustRequest,
}
_, _COMPONENTS = msgspec.json.schema_components(_TYPES, ref_template=_REFERENCE)

USE_HEADERS: Final[list[dict[str, Any]]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        "description": "instead of `idempotencyKey` in the body; one is made where neither is given",
    },
    {
        "name": "Prefer",
        "in": "header",
        "schema": {"type": "string"},
        "description": "`wait=SECONDS`, 5 by default, at most 30 (RFC 7240)",
    },
]


def components() -> dict[str, Any]:
    """The schemas that the credits routes refer to, by name."""
    return dict(_COMPONENTS)


def result(shape: Any) -> dict[int | str, dict[str, Any]]:
    """The documented 200 of a route."""
    return {200: _answer("OK", shape)}


def results_of_use() -> dict[int | str, dict[str, Any]]:
    """200 and 202 of a command."""
    return result(UseResult) | pending()


def pending() -> dict[int | str, dict[str, Any]]:
    """The documented 202 of a route that sends a command."""
    answer = _answer("Accepted: sent, its outcome not known yet", Pending)
    answer["headers"] = {"Location": {"schema": {"type": "string"}, "description": "where to look"}}
    return {202: answer}


def body_of_use() -> dict[str, Any]:
    """The body of ``POST /credits/use``."""
    return _body(UseRequest)


def body_of_command(kind: type[Command]) -> dict[str, Any]:
    """The body by which a service sends a command of that kind."""
    return _body(_BODIES[kind])


def _body(shape: type[Struct]) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name=shape.__name__)}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answer(description: str, shape: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components((shape,), ref_template=_REFERENCE)
    return {"description": description, "content": {"application/json": {"schema": schema}}}
