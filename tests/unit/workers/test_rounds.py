"""The rounds of leases: what was lost is unlocked before it is taken again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest

from workers.intake import rounds as module
from workers.intake.rounds import Rounds, Spawner
from workers.ledger.faults import Broken, TryAgain
from workers.ledger.store.leases import Lease

ME = "worker"
OTHER = "other"
"""Who ranks higher for the only partition."""


class ScriptedLeases:
    """Leases that refuse, as the real ones do, to be taken twice; ``on_heartbeat`` is what happens meanwhile."""

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.failures = 0
        self.workers = [ME]
        self.heartbeats = 0
        self.on_heartbeat = lambda: None

    async def register(self, _id: str, _name: str) -> None:
        """Always."""

    async def heartbeat(self) -> list[str]:
        self.on_heartbeat()
        self.heartbeats += 1
        return self.workers

    async def living(self) -> list[str]:
        return self.workers

    async def take(self, partitions: Collection[int]) -> list[Lease]:
        if self.held.intersection(partitions):
            raise Broken(f"one of the partitions {partitions} is leased already")
        self.held.update(partitions)
        return [Lease(partition, 1, 0, 0) for partition in partitions]

    async def release(self, partition: int) -> None:
        if self.failures:
            self.failures -= 1
            raise TryAgain("not now")
        self.held.discard(partition)


class ScriptedHoldings:
    """What is ours."""

    def __init__(self) -> None:
        self.epochs: dict[int, int] = {}
        self.lost: set[int] = set()

    def add(self, lease: Lease, _spawn: object) -> None:
        self.epochs[lease.partition] = lease.epoch

    def lose(self) -> None:
        self.epochs.clear()
        self.lost.add(0)


def _rounds(leases: ScriptedLeases, holdings: ScriptedHoldings) -> Rounds:
    parts: Any = {
        "leases": leases,
        "holdings": holdings,
        "inlets": None,
        "link": SimpleNamespace(down_for=0.0, connected=True),
    }
    return Rounds(ME, ME, 1, **parts)


async def _until_owned(rounds: Rounds, holdings: ScriptedHoldings) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(rounds.run(Spawner(group)))
        while not holdings.epochs and not running.done():
            await asyncio.sleep(0.01)
        rounds.stop()


async def test_a_partition_lost_during_the_heartbeat_is_unlocked_and_taken_again() -> None:
    leases, holdings = ScriptedLeases(), ScriptedHoldings()
    rounds = _rounds(leases, holdings)
    await _until_owned(rounds, holdings)
    rounds = _rounds(leases, holdings)

    def lose_once() -> None:
        leases.on_heartbeat = lambda: None
        holdings.lose()

    leases.on_heartbeat = lose_once
    await _until_owned_again(rounds, holdings)
    assert holdings.epochs == {0: 1}
    assert not holdings.lost


async def _until_owned_again(rounds: Rounds, holdings: ScriptedHoldings) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(rounds.run(Spawner(group)))
        while (holdings.lost or not holdings.epochs or not rounds.answered_at) and not running.done():
            await asyncio.sleep(0.01)
        rounds.stop()


async def test_a_lock_that_could_not_be_given_back_is_given_back_later() -> None:
    leases, holdings = ScriptedLeases(), ScriptedHoldings()
    leases.held.add(0)
    leases.failures = 1
    holdings.lose()
    await _until_owned_again(_rounds(leases, holdings), holdings)
    assert holdings.epochs == {0: 1}


async def test_a_worker_that_dies_is_seen_long_before_the_next_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next round is an hour away, and nobody but a look can bring it on."""
    monkeypatch.setattr(module, "ROUND_SECONDS", 3600.0)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.01)
    leases, holdings = ScriptedLeases(), ScriptedHoldings()
    leases.workers = [ME, OTHER]
    rounds = _rounds(leases, holdings)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(rounds.run(Spawner(group)))
        while rounds.answered_at is None:
            await asyncio.sleep(0.01)
        assert leases.heartbeats == 1
        leases.workers = [ME]
        while not holdings.epochs and not running.done():
            await asyncio.sleep(0.01)
        rounds.stop()
    assert leases.heartbeats == 2
