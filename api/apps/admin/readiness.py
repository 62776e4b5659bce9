"""Waits until the broker is as the rows say: the keeper of logins (``workers.apps``) hears of each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from api.apps.admin.model import KnownApp

_LOOK_SECONDS: Final = 0.05


async def await_broker(look: Callable[[], Awaitable[KnownApp]], seconds: float) -> KnownApp:
    """The app once the broker is ready for it, or after so many seconds as it is then. What is not done by then is
    done later, without anybody's help."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        app = await look()
        if app.broker_ready or loop.time() >= until:
            return app
        await asyncio.sleep(_LOOK_SECONDS)
