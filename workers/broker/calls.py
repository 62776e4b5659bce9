"""What was asked on one channel and is not answered yet. Answers come in the order of the questions."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from workers.broker.errors import BrokerLostError

CALL_SECONDS: Final = 10.0
"""How long any question to the broker may take. One that takes longer fails by itself: a broker that is short of memory
or disk answers nobody for a while, and the connection lives on."""


class Calls:
    """Questions on one channel; ``write`` sends them."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._asked: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._end: BrokerLostError | None = None

    async def ask(self, frames: bytes, answer: bytes, within: float = CALL_SECONDS) -> bytes:
        """The payload of the method ``answer``. Raises ``BrokerLostError`` where it does not come, or not in time.

        Who gives a call up leaves its place in line: the answer that comes for it all the same is nobody else's.
        """
        if self._end is not None:
            raise self._end
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.append((answer, future))
        self._write(frames)
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError as error:
            raise BrokerLostError(f"the broker did not answer within {within:.0f} s") from error

    def answered(self, method: bytes, payload: bytes) -> bool:
        """Takes a method that answers the oldest question; false where it does not."""
        if not self._asked or self._asked[0][0] != method:
            return False
        _, future = self._asked.popleft()
        if not future.done():
            future.set_result(payload)
        return True

    def fail(self, error: BrokerLostError) -> None:
        """Nothing is answered from now on: whoever waits, or asks later, gets ``error``."""
        self._end = error
        while self._asked:
            _, future = self._asked.popleft()
            if not future.done():
                future.set_exception(error)
