"""Routes without a body: one that comes all the same must be empty, for a field that is not known is refused here too.

Who sends ``{"password": …}`` with a deletion believes that it is looked at.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from api.errors import Refusal, refuse_field
from api.problems_documented import answers
from api.text import printable
from contracts.errors import FieldError, invalid

_READING: Final = frozenset({"GET", "HEAD"})
"""What a body means there is not defined (RFC 9110, 9.3.1); these routes are the most asked, and look at none."""
_FIELDS_MAX: Final = 20
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def refuse_bodies(router: APIRouter) -> None:
    """Makes each writing route that reads no body refuse one with anything in it, and say so in OpenAPI."""
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route} is no route of its own: its own routes would not be seen")
        if not (route.methods or set()) <= _READING and not _reads_a_body(route):
            route.dependencies.append(Depends(_refuse))
            for status, answer in answers("payload_too_large", "invalid_request").items():
                route.responses.setdefault(status, answer)


def _reads_a_body(route: APIRoute) -> bool:
    documented: dict[str, Any] = route.openapi_extra or {}
    return route.body_field is not None or "requestBody" in documented


async def _refuse(request: Request) -> None:
    """Raises ``Refusal`` (``invalid_request``) unless the body is empty or ``{}``, of whatever type."""
    body = await request.body()
    if not body:
        return
    try:
        fields = _FIELDS.decode(body)
    except (ValueError, RecursionError) as error:
        raise refuse_field("body", "must be empty: nothing of it is read here") from error
    if fields:
        named = [FieldError(printable(name) or "body", "is not known") for name in fields]
        raise Refusal(invalid(*named[:_FIELDS_MAX]))
