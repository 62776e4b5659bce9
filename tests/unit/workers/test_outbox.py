"""A channel's sender: an ack never overtakes its replies, nor the confirm of what has no other memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

from workers.broker.consumer import Consumer, Reply
from workers.broker.publisher import Publication
from workers.intake.answering import Answer, Kept
from workers.intake.outbox import Outbox


class _Channel:
    """Remembers replies and acks in the order in which they left."""

    def __init__(self) -> None:
        self.left: list[str | int] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def answer(self, frames: Iterable[bytes]) -> None:
        self.left.extend(frame.decode() for frame in frames)

    def ack(self, tag: int) -> None:
        self.left.append(tag)

    def lose(self, reason: str) -> None:
        self.lost.set_result(reason)


class _Keeper:
    """Confirms when it is told to."""

    def __init__(self) -> None:
        self.confirmed = asyncio.Event()

    async def __call__(self, _kept: Kept) -> None:
        await self.confirmed.wait()


_KEPT = Kept(Publication("", "q", "m", b"", b""))


def _reply(to: str) -> Answer:
    return Answer(Reply(to, "", None, b""), frames=to.encode())


def _outbox() -> tuple[Outbox, _Channel, _Keeper, list[str]]:
    channel, keeper, late = _Channel(), _Keeper(), list[str]()
    return Outbox(cast(Consumer, channel), keeper, lambda reply: late.append(reply.to)), channel, keeper, late


async def test_replies_then_the_ack_batch_after_batch() -> None:
    outbox, channel, _, _ = _outbox()
    outbox.send(2, [(_reply("a"), False), (_reply("b"), False)])
    outbox.send(3, [(_reply("c"), False)])
    assert channel.left == ["a", "b", 2, "c", 3]


async def test_an_ack_waits_for_the_confirm_and_the_next_batch_for_the_ack() -> None:
    outbox, channel, keeper, _ = _outbox()
    outbox.send(2, [(_reply("a"), False), (Answer(kept=_KEPT), False)])
    outbox.send(3, [(_reply("b"), False)])
    assert channel.left == ["a"]
    draining = asyncio.create_task(outbox.drained())
    await asyncio.sleep(0)
    assert not draining.done()
    keeper.confirmed.set()
    await asyncio.wait_for(draining, 1)
    assert channel.left == ["a", 2, "b", 3]


async def test_a_reply_that_says_kept_waits_for_the_confirm() -> None:
    outbox, channel, keeper, _ = _outbox()
    internal = Answer(Reply("b", "", None, b""), _KEPT, kept_first=True, frames=b"b")
    outbox.send(3, [(_reply("a"), False), (internal, False), (_reply("c"), False)])
    assert channel.left == ["a", "c"]
    keeper.confirmed.set()
    await asyncio.wait_for(outbox.drained(), 1)
    assert channel.left == ["a", "c", "b", 3]


async def test_a_dangerous_reply_leaves_last_and_elsewhere() -> None:
    outbox, channel, keeper, late = _outbox()
    outbox.send(2, [(_reply("a"), True), (Answer(kept=_KEPT), False)])
    assert (channel.left, late) == ([], [])
    keeper.confirmed.set()
    await asyncio.wait_for(outbox.drained(), 1)
    assert (channel.left, late) == ([2], ["a"])


async def test_a_closed_outbox_acknowledges_nothing_any_more() -> None:
    outbox, channel, keeper, _ = _outbox()
    outbox.send(1, [(Answer(kept=_KEPT), False)])
    outbox.close()
    keeper.confirmed.set()
    await asyncio.sleep(0.01)
    assert channel.left == []


async def test_what_cannot_be_kept_gives_the_channel_up() -> None:
    async def fail(_kept: Kept) -> None:
        raise RuntimeError("no way")

    channel = _Channel()
    outbox = Outbox(cast(Consumer, channel), fail, lambda _: None)
    outbox.send(1, [(Answer(kept=_KEPT), False)])
    assert "no way" in await asyncio.wait_for(channel.lost, 1)
    assert channel.left == []
