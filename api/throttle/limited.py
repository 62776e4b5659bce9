"""The dependency of routes that are counted in a class of their own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
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


def limited(name: ClassName) -> Any:
    """For ``dependencies=[…]`` of a route: charges the client's address, or the user for some classes.

    Raises ``Refusal`` (``rate_limited``; ``unauthorized`` where the user is needed) and ``Unavailable``.
    """

    async def count(request: Request) -> AsyncGenerator[None]:
        throttle: Throttle = request.app.state.throttle
        charges = await _charges(request, throttle, name)
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


async def _charges(request: Request, throttle: Throttle, name: ClassName) -> tuple[Charge, ...]:
    limit = throttle.classes[name]
    if name in _BY_USER:
        claims = await request.app.state.guard.admit(request)
        return (Charge(limit, claims.user_id.bytes),)
    address = None if request.client is None else request.client.host
    own = Charge(limit, client_address.bucket(address))
    if name != "login":
        return (own,)
    return own, Charge(throttle.classes["login_network"], client_address.network(address))
