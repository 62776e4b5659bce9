"""What OpenAPI says of credits, generated from the contract's own structures."""

from __future__ import annotations

import copy
from typing import Any, Final

import msgspec

from api.credits.views import BalanceView, Completed, Package, Pending, Purchase, RefusedOperation, UseResult
from contracts.commands import Use
from contracts.replies import Lot, Transaction

_REFERENCE: Final = "#/components/schemas/{name}"
_TYPES: Final = (BalanceView, Completed, Lot, Package, Pending, Purchase, RefusedOperation, Transaction, UseResult, Use)
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
    return {name: schema for name, schema in _COMPONENTS.items() if name != Use.__name__}


def result(shape: Any) -> dict[int | str, dict[str, Any]]:
    """The documented 200 of a route."""
    return {200: _answer("OK", shape)}


def results_of_use() -> dict[int | str, dict[str, Any]]:
    """200 and 202 of ``POST /credits/use``."""
    pending = _answer("Accepted: sent, its outcome not known yet", Pending)
    pending["headers"] = {"Location": {"schema": {"type": "string"}, "description": "where to look"}}
    return {200: _answer("OK", UseResult), 202: pending}


def body_of_use() -> dict[str, Any]:
    """The command's body less what the token says, its key optional."""
    schema = copy.deepcopy(_COMPONENTS[Use.__name__])
    schema["title"] = "UseRequest"
    del schema["properties"]["userId"]
    schema["required"] = [name for name in schema["required"] if name not in {"userId", "idempotencyKey"}]
    schema["properties"]["metadata"] = {"type": ["object", "null"], "description": "at most 8 KiB"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _answer(description: str, shape: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components((shape,), ref_template=_REFERENCE)
    return {"description": description, "content": {"application/json": {"schema": schema}}}
