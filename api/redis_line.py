"""One connection to Redis, over which what is asked at a time goes together; and a bound on how long that may take.

Together it costs a fraction of the CPU. And the answers of a hundred requests are there when this process comes to look
at them, however busy it was meanwhile: with a connection for each, a burst of requests would find Redis slow, when it
was this process that was.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

WAIT_MS: Final = 50
"""No request waits longer than this for Redis, connecting included, unless ``REDIS_WAIT_MS`` says otherwise."""
_TOGETHER_MAX: Final = 256
_CONNECT_SECONDS_MAX: Final = 2.0
_TURNS: Final = 10
"""Turns of the event loop in which an answer that came in time is read, decoded and handed on."""
_AWAY: Final = (RedisError, OSError, RuntimeError)
"""What a Redis that cannot be used raises; ``RuntimeError`` is what uvloop says of a connection that was closed while
nobody used it."""


class RedisAway(Exception):  # noqa: N818 - says what is the matter
    """Redis did not answer in time, or could not do it: it is away, full, or loading its data."""


@dataclass(frozen=True)
class _Asked:
    command: tuple[str | bytes, ...]
    answer: Future[Any]


class RedisLine:
    """Asks Redis. ``script`` is what ``EVALSHA`` runs, and is told to a server that does not know it."""

    def __init__(self, redis: Redis, script: str, patience: float) -> None:
        self._redis = redis
        self._script = script
        self._patience = patience
        self._waiting: list[_Asked] = []
        self._sending: Task[None] | None = None
        self._connecting: Future[Any] | None = None

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, script: str, client_name: str, patience: float) -> AsyncGenerator[RedisLine]:
        """Connects when it is first needed, so a Redis that is away stops no start. ``patience``, in seconds, is for
        all that is asked together, connecting included."""
        redis = Redis.from_url(
            url,
            decode_responses=True,
            client_name=client_name,
            socket_connect_timeout=_CONNECT_SECONDS_MAX,
            # Above anybody's patience: what is given up here is tried again, and would be done twice.
            socket_timeout=_CONNECT_SECONDS_MAX + patience,
            # Once more at once, for a connection that died while nobody used it.
            retry=Retry(NoBackoff(), 1),
        )
        async with redis:
            line = cls(redis, script, patience)
            try:
                yield line
            finally:
                await line._close()

    @property
    def connections(self) -> int:
        """Connections to Redis that there are, used or not."""
        return sum(number for number, _ in self._redis.connection_pool.get_connection_count())

    async def ask(self, *command: str | bytes) -> Any:
        """The answer. Raises ``RedisAway``; the command may have been carried out all the same."""
        asked = _Asked(command, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())
        return await asked.answer

    async def _send(self) -> None:
        """Until nothing waits; whoever waits behind what was not answered in time is not left to wait as long again."""
        while self._waiting:
            together, self._waiting = self._waiting[:_TOGETHER_MAX], self._waiting[_TOGETHER_MAX:]
            try:
                answers = await _in_time(self._exchange([asked.command for asked in together]), self._patience)
            except Exception as error:
                if self._connecting is not None and self._connecting.done():
                    self._connecting = None
                away, self._waiting = [*together, *self._waiting], []
                _hand_on(away, [error] * len(away))
            else:
                _hand_on(together, answers)

    async def _exchange(self, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
        await self._until_connected()
        answers = await self._pipelined(commands)
        untold = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if untold:
            await self._redis.script_load(self._script)
            again = await self._pipelined([commands[index] for index in untold])
            for index, answer in zip(untold, again, strict=True):
                answers[index] = answer
        return answers

    async def _until_connected(self) -> None:
        """Connecting may take longer than anybody waits, by TLS to a host far away: it goes on without them."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._redis.ping())
        await asyncio.shield(self._connecting)

    async def _pipelined(self, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
        try:
            return await self._at_once(commands)
        except RuntimeError:
            return await self._at_once(commands)

    async def _at_once(self, commands: Sequence[tuple[str | bytes, ...]]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            return await pipeline.execute(raise_on_error=False)

    async def _close(self) -> None:
        left = [task for task in (self._sending, self._connecting) if task is not None]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _hand_on(together: Sequence[_Asked], answers: Sequence[Any]) -> None:
    for asked, answer in zip(together, answers, strict=True):
        if asked.answer.done():  # whoever asked is gone
            continue
        if isinstance(answer, _AWAY):
            away = RedisAway("Redis did not do it in time")
            away.__cause__ = answer
            asked.answer.set_exception(away)
        elif isinstance(answer, Exception):
            asked.answer.set_exception(answer)
        else:
            asked.answer.set_result(answer)


async def _in_time(exchange: Any, seconds: float) -> Any:
    """What it gives. Raises ``TimeoutError``, but not where the answer has come while this process was busy."""
    task = asyncio.ensure_future(exchange)
    try:
        await asyncio.wait({task}, timeout=seconds)
        for _ in range(_TURNS):
            if task.done():
                return task.result()
            await asyncio.sleep(0)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    raise TimeoutError
