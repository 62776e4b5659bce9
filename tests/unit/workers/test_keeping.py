"""What clients send wrongly is kept as long as it leaves room for the others, and holds up nobody."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from workers.broker.frames import properties
from workers.broker.lenient import CONTENT_TYPE, TYPE, USER_ID, read_properties
from workers.broker.publisher import Publication
from workers.intake.answering import Blame, Kept
from workers.intake.dead_allowance import BURST_BYTES, BYTES_PER_SECOND, COPY_BYTES, DeadAllowance
from workers.intake.keeping import Keeping
from workers.meters import Meters


class Clock:
    """Stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Queue:
    """Takes messages, or refuses them; insisting on a full one would never end."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.taken: list[Publication] = []

    async def keep(self, message: Publication, otherwise: Publication | None = None) -> None:
        assert otherwise is None
        while not await self.offer(message):
            await asyncio.sleep(0)

    async def offer(self, message: Publication) -> bool:
        if not self.full:
            self.taken.append(message)
        return not self.full


def kept(login: str | None, size: int = 0, *, app_id: str | None = None) -> Kept:
    """The copy of an unreadable message."""
    return Kept(Publication("", "credits.dead", "m", b"", bytes(size)), blame=Blame(login, app_id))


def keeping_by(
    queue: Queue, registry: CollectorRegistry | None = None, clock: Clock | None = None, login: str = ""
) -> Keeping:
    """As a worker keeps that owns all partitions."""
    return Keeping(queue, Meters(registry or CollectorRegistry()), clock or Clock(), login, share=lambda: 1.0)


def lost(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("mana_unreadable_lost_total")


async def test_a_clients_mistake_does_not_wait_for_a_full_queue() -> None:
    registry = CollectorRegistry()
    async with asyncio.timeout(5):
        await keeping_by(Queue(full=True), registry).keep(kept("chat"))
    assert lost(registry) == 1


async def test_a_copy_proves_whose_it_is() -> None:
    queue, header = Queue(), properties(content_type="text/plain", type_="credits.use")
    keeping = keeping_by(queue, login="mana-worker")
    for to in ("credits.dead", "credits.events.log"):
        await keeping.keep(Kept(Publication("", to, "m", header, b"")))
    signed, other = (read_properties(bytes(12) + message.header)[0] for message in queue.taken)
    assert (signed[USER_ID], signed[TYPE], signed[CONTENT_TYPE]) == ("mana-worker", "credits.use", "text/plain")
    assert other[USER_ID] is None


async def test_our_own_fault_is_kept_however_long_that_takes() -> None:
    queue = Queue(full=True)
    keeping = asyncio.create_task(keeping_by(queue).keep(Kept(Publication("", "credits.dead", "m", b"", b""))))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not keeping.done()
    queue.full = False
    await keeping
    assert len(queue.taken) == 1


async def test_one_login_cannot_fill_the_queue_for_another() -> None:
    registry, queue = CollectorRegistry(), Queue()
    keeping = keeping_by(queue, registry)
    big = BURST_BYTES // 4 - COPY_BYTES
    for _ in range(5):
        await keeping.keep(kept("flood", big))
    await keeping.keep(kept("chat", big))
    await keeping.keep(kept(None, big))
    assert len(queue.taken) == 6
    assert lost(registry) == 1


async def test_all_secrets_of_an_app_have_one_store_together() -> None:
    registry, queue = CollectorRegistry(), Queue()
    keeping = keeping_by(queue, registry)
    half = BURST_BYTES // 2 - COPY_BYTES
    for secret in ("one", "two", "three"):
        await keeping.keep(kept(f"flood.{secret}", half, app_id="flood"))
    assert len(queue.taken) == 2
    assert lost(registry) == 1


async def test_all_workers_together_keep_no_more_of_an_app_than_one_alone() -> None:
    """Of four partitions one worker owns three: each keeps its part, and so full a store again as that."""
    queue, clock, bodies = Queue(), Clock(), BURST_BYTES // 64 - COPY_BYTES
    workers = [
        Keeping(queue, Meters(CollectorRegistry()), clock, share=lambda share=share: share) for share in (0.75, 0.25)
    ]

    async def flood() -> int:
        before = len(queue.taken)
        for worker in workers:
            for _ in range(70):
                await worker.keep(kept("flood", bodies, app_id="flood"))
        return len(queue.taken) - before

    assert await flood() == 64
    clock.now += BURST_BYTES / 4 / BYTES_PER_SECOND
    assert await flood() == 16
    clock.now += 1_000_000
    assert await flood() == 64


def test_what_a_worker_gains_of_a_store_fills_up_with_time() -> None:
    clock = Clock()
    allowance = DeadAllowance(clock)
    assert allowance.take("chat", BURST_BYTES // 2 - COPY_BYTES, 0.5)
    assert not allowance.take("chat", 0, 1.0)
    clock.now += COPY_BYTES / BYTES_PER_SECOND
    assert allowance.take("chat", 0, 1.0)
    assert not allowance.take("chat", 0, 1.0)


def test_the_store_fills_up_again_with_time_and_no_further_than_it_was() -> None:
    clock = Clock()
    allowance = DeadAllowance(clock)
    assert allowance.take("chat", BURST_BYTES - COPY_BYTES, 1.0)
    assert not allowance.take("chat", 0, 1.0)
    clock.now += COPY_BYTES / BYTES_PER_SECOND
    assert allowance.take("chat", 0, 1.0)
    assert not allowance.take("chat", 0, 1.0)
    clock.now += 1_000_000
    assert not allowance.take("chat", BURST_BYTES, 1.0)
    assert allowance.take("chat", BURST_BYTES - COPY_BYTES, 1.0)


async def test_dead_letters_are_counted_by_whose_fault_they_are_and_events_are_none() -> None:
    registry = CollectorRegistry()
    keeping = keeping_by(Queue(), registry)
    await keeping.keep(kept("chat"))
    await keeping.keep(Kept(Publication("", "credits.dead", "m", b"", b"")))
    await keeping.keep(Kept(Publication("credits.events", "credits.refused.chat", "m", b"", b"")))
    causes = {
        cause: registry.get_sample_value("mana_dead_letters_total", {"cause": cause}) for cause in ("client", "ours")
    }
    assert causes == {"client": 1, "ours": 1}
