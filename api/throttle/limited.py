"""The dependency of routes that are counted in a class of their own. Stand-in: it refuses nobody yet."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request

from api.throttle.classes import ClassName


def limited(name: ClassName) -> Any:
    """For ``dependencies=[…]`` of a route: charges the client's address, and refuses with ``rate_limited``.

    Today it charges nothing.
    """

    async def charge(request: Request) -> None:
        _ = request, name

    return Depends(charge)
