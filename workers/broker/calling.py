"""Asking the broker something through the library: within a time, and with one way to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from aio_pika.exceptions import AMQPError

from workers.broker.calls import CALL_SECONDS
from workers.broker.errors import BrokerLostError

FAILURES: Final = (AMQPError, OSError, TimeoutError, RuntimeError, EOFError)
"""How the library says that connection or channel are gone."""


@asynccontextmanager
async def calling(what: str, within: float = CALL_SECONDS) -> AsyncGenerator[None]:
    """Every awaited call of the library stands in such a block. Raises ``BrokerLostError``; ``what`` begins its text.

    The library ends calls that are under way when its connection closes, or is given up, by *cancelling* them. To the
    task that waits this looks like its own end, and would be; only who was asked to end has ``cancelling()``.
    """
    try:
        async with asyncio.timeout(within):
            yield
    except Exception as error:
        if isinstance(error, FAILURES) or type(error) is Exception:  # a bare one: the call came after the close
            raise BrokerLostError(f"{what}: {error!r}") from error
        raise
    except asyncio.CancelledError as error:
        if _asked_to_end():
            raise
        raise BrokerLostError(f"{what}: the library gave the call up") from error


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
