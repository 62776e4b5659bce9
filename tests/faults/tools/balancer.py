"""What stands before several fronts: hands each request to the next of them that takes a connection, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

import httpx
from msgspec import Struct

from tests.faults.tools.kept import Kept

IDLE_CONNECTIONS: Final = 10
"""Each request looks at all idle connections of its pool: a hundred of them take most of the time of a scenario's own
process, and its proxies need some."""
_CONNECTIONS: Final = httpx.Limits(max_connections=200, max_keepalive_connections=IDLE_CONNECTIONS)


class Answer(Struct, frozen=True):
    """A kind of answer: its status, 0 where no connection could be had or brought one; whether it says when to come
    again."""

    status: int
    retry_after: bool = False

    @property
    def failed(self) -> bool:
        """Whether the service let somebody down: it may say 503 where it says when to come again."""
        return self.status == 0 or (self.status >= 500 and not self.busy)

    @property
    def busy(self) -> bool:
        """Whether somebody was told to come again later, and when."""
        return self.status == 503 and self.retry_after


class Balancer(httpx.AsyncBaseTransport):
    """Of one client. What has been sent is never sent again, whatever becomes of it."""

    def __init__(self, fronts: Sequence[Kept], answers: Counter[Answer]) -> None:
        self._fronts = fronts
        self._answers = answers
        self._turns = count()
        self._transport = httpx.AsyncHTTPTransport(limits=_CONNECTIONS, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises ``httpx.ConnectError`` where no front takes a connection."""
        refused = httpx.ConnectError("there is no front")
        for front in self._in_turn():
            try:
                return await self._ask(front, request)
            except httpx.ConnectError as error:
                refused = error
        self._answers[Answer(0)] += 1
        raise refused

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._transport.aclose()

    def _in_turn(self) -> Iterator[Kept]:
        present = [front for front in self._fronts if not front.gone]
        first = next(self._turns)
        return (present[(first + more) % len(present)] for more in range(len(present)))

    async def _ask(self, front: Kept, request: httpx.Request) -> httpx.Response:
        target = httpx.URL(front.url)
        request.url = request.url.copy_with(host=target.host, port=target.port)
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.ConnectError:
            raise
        except httpx.TransportError:
            self._answers[Answer(0)] += 1
            raise
        self._answers[Answer(response.status_code, "retry-after" in response.headers)] += 1
        return response
