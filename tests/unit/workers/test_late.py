"""Late replies: one that finds no way out costs nobody else his, and a stop lets those that wait go out first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workers.broker.consumer import Reply
from workers.broker.late import LateReplies


class _Late(LateReplies):
    """Sends to a list, or fails as it is told; ``held`` keeps every reply from leaving."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.lost = 0
        self.sent: list[str] = []
        self.held = asyncio.Event()
        self.held.set()
        self._failure = failure
        super().__init__("amqp://nowhere", self._count)

    def _count(self) -> None:
        self.lost += 1

    async def start_now(self) -> None:
        return

    async def stop(self, exc_type: Any = None, exc_val: Any = None, exc_tb: Any = None) -> None:
        return

    async def _send(self, reply: Reply) -> None:
        await self.held.wait()
        if reply.to == "bad" and self._failure is not None:
            raise self._failure
        self.sent.append(reply.to)


def _reply(to: str) -> Reply:
    return Reply(to, "", None, b"")


@pytest.mark.parametrize("failure", [ValueError("cannot be framed"), ConnectionResetError(), KeyError("a defect")])
async def test_one_failure_costs_one_reply(failure: Exception) -> None:
    late = _Late(failure)
    running = asyncio.create_task(late.run())
    for to in ("a", "bad", "b"):
        late.send_later(_reply(to))
    await late.drain(2)
    assert (late.sent, late.lost, running.done()) == (["a", "b"], 1, False)
    running.cancel()


async def test_a_drain_counts_what_is_left() -> None:
    late = _Late()
    late.held.clear()
    running = asyncio.create_task(late.run())
    for to in ("a", "b", "c"):
        late.send_later(_reply(to))
    await late.drain(0.05)
    assert (late.sent, late.lost) == ([], 3)
    running.cancel()


async def test_nothing_to_drain_takes_no_time() -> None:
    await asyncio.wait_for(_Late().drain(60), 1)
