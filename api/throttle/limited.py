"""The dependency of routes that are counted in a class of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from api import client_address
from api.errors import Refusal, Unavailable
from api.throttle import told
from api.throttle.charging import charge
from api.throttle.classes import ClassName
from api.throttle.limiter import Charge
from api.throttle.throttle import Throttle

_BY_USER: Final = frozenset[ClassName]({"credentials", "export", "admin", "purchases"})
_GIVEN_BACK: Final = frozenset[ClassName]({"login", "token"})
"""Classes whose requests count where they fail: an office signs in through one address."""
_IF_DONE: Final = frozenset[ClassName]({"credentials", "export"})
"""Classes whose requests count where they succeed: who is asked to sign in again first has lost nothing by it."""


Named = Callable[[Request], Awaitable[bytes]]
"""Whom a request names, proven or not."""


async def _nobody(request: Request) -> bytes:
    return b""


def limited(name: ClassName, named: Named = _nobody) -> Any:
    """For ``dependencies=[…]`` of a route: charges the client's address, or the user for some classes.

    ``named`` tells apart what one address asks for in the class ``token``: whoever is wrong about one app keeps none of
    the others behind the same address waiting.

    Raises ``Refusal`` (``rate_limited``; ``unauthorized`` where the user is needed) and ``Unavailable``.
    """

    async def count(request: Request) -> AsyncGenerator[None]:
        throttle: Throttle = request.app.state.throttle
        charges = await _charges(request, throttle, name, named)
        told.note(request.scope, await charge(throttle.limiter, *charges))
        try:
            yield
        except Unavailable:
            # Nothing came of it, and the client is asked to come again.
            await throttle.limiter.give_back(*charges)
            raise
        except (Refusal, RequestValidationError):
            if name in _IF_DONE:
                await throttle.limiter.give_back(*charges)
            raise
        if name in _GIVEN_BACK:
            await throttle.limiter.give_back(*charges)

    return Depends(count)


async def _charges(request: Request, throttle: Throttle, name: ClassName, named: Named) -> tuple[Charge, ...]:
    limit = throttle.classes[name]
    if name in _BY_USER:
        claims = await request.app.state.guard.admit(request)
        return (Charge(limit, claims.user_id.bytes),)
    address = None if request.client is None else request.client.host
    client = client_address.bucket(address)
    match name:
        case "login":
            return Charge(limit, client), Charge(throttle.classes["login_network"], client_address.network(address))
        case "token":
            own = Charge(limit, client + b"\0" + await named(request))
            return own, Charge(throttle.classes["token_address"], client)
        case _:
            return (Charge(limit, client),)
