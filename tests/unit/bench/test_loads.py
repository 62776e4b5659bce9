"""Open loops and backlogs: each command has one fate, and latency counts from when it was due. The broker is played."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from itertools import repeat
from typing import Any

import pytest

from bench import backlog as backlog_module
from bench import open_loop as open_loop_module
from bench.backlog import Backlog
from bench.errors import BenchError
from bench.frames import BrokerError
from bench.open_loop import OpenLoop, SteadyLoad
from bench.uses import Uses

URL = "amqp://bench@localhost"
CHARGED = b'{"ok":true,"replayed":false}'
REPLAYED = b'{"ok":true,"replayed":true}'

Fate = Callable[["PlayedBroker", bytes], None]


class PlayedBroker:
    """Confirms all at once; what else happens to a command is up to its ``fate``."""

    unconfirmed = 0
    unsent = 0

    def __init__(self, receiver: Any, fate: Fate) -> None:
        self.receiver = receiver
        self.waiting: list[bytes] = []
        self._fate = fate

    def publish(self, _template: object, _key: bytes, correlation_id: bytes, _body: bytes) -> None:
        self._fate(self, correlation_id)

    def answer_all(self, body: bytes = CHARGED) -> None:
        for correlation_id in self.waiting:
            self.receiver.answered(correlation_id, body)

    async def close(self) -> None:
        pass


def keep(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.waiting.append(correlation_id)


def answer(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.answered(correlation_id, CHARGED)


def refuse_every_second(broker: PlayedBroker, correlation_id: bytes) -> None:
    if int(correlation_id) % 2:
        broker.receiver.refused(correlation_id)
    else:
        broker.receiver.answered(correlation_id, CHARGED)


def uses() -> Uses:
    return Uses(repeat(b"a user"), "run")


@asynccontextmanager
async def played(monkeypatch: pytest.MonkeyPatch, fate: Fate) -> AsyncGenerator[list[PlayedBroker]]:
    brokers: list[PlayedBroker] = []

    async def connect(_url: str, receiver: Any) -> PlayedBroker:
        brokers.append(PlayedBroker(receiver, fate))
        return brokers[-1]

    for module in (backlog_module, open_loop_module):
        monkeypatch.setattr(module, "connect", connect)
    yield brokers


async def test_an_open_loop_does_not_wait_for_answers_and_counts_from_when_each_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with played(monkeypatch, keep) as brokers, await OpenLoop(uses()).connect(URL) as loop:
        offer = await loop.offer(1000, 0.2)
        assert (offer.first, offer.last, offer.missing) == (0, 200, 0)
        assert [round(due - loop.arrivals.due[0], 6) for due in loop.arrivals.due[:3]] == [0, 0.001, 0.002]
        assert loop.arrivals.pending == 200
        began = time.perf_counter()
        brokers[0].answer_all()
        busy = time.perf_counter() - began
        await loop.settle(1)
        took = loop.arrivals.latencies(0, 200)
        # All were answered while this was busy behind the last one: each took the longer, the earlier it was due.
        assert 0.199 - busy <= took[0] - took[199] < 0.199_001


async def test_connections_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    async with played(monkeypatch, keep) as brokers, await OpenLoop(uses()).connect(URL, connections=2) as loop:
        await loop.offer(1000, 0.01)
        assert [broker.waiting[:2] for broker in brokers] == [[b"0", b"2"], [b"1", b"3"]]


async def test_what_the_broker_takes_no_more_of_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with played(monkeypatch, keep) as brokers, await OpenLoop(uses()).connect(URL) as loop:
        monkeypatch.setattr(PlayedBroker, "unsent", 1 << 24)
        offer = await loop.offer(1000, 0.01)
        assert (offer.last, offer.missing) == (0, 10)
        assert brokers[0].waiting == []


async def test_refusals_are_noted_where_they_are_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with played(monkeypatch, refuse_every_second):
        async with await OpenLoop(uses(), refusals=True).connect(URL) as loop:
            await loop.offer(1000, 0.01)
            await loop.settle(1)
            assert (loop.arrivals.answered, loop.arrivals.refused, loop.arrivals.pending) == (5, 5, 0)
            assert [math.isinf(took) for took in loop.arrivals.took[:4]] == [False, True, False, True]
        async with await OpenLoop(uses()).connect(URL) as loop:
            with pytest.raises(BenchError, match="queue is full"):
                await loop.offer(1000, 0.01)


async def _answer_refused(loop: OpenLoop) -> None:
    loop.refused(b"0")
    loop.answered(b"0", CHARGED)


async def _refuse_answered(loop: OpenLoop) -> None:
    loop.answered(b"0", CHARGED)
    loop.refused(b"0")


async def _answer_twice(loop: OpenLoop) -> None:
    loop.answered(b"0", CHARGED)
    loop.answered(b"0", CHARGED)


async def _replay(loop: OpenLoop) -> None:
    loop.answered(b"0", REPLAYED)


@pytest.mark.parametrize("wrong", [_answer_refused, _refuse_answered, _answer_twice, _replay])
async def test_a_second_fate_ends_the_measurement(monkeypatch: pytest.MonkeyPatch, wrong: Any) -> None:
    async with played(monkeypatch, keep), await OpenLoop(uses(), refusals=True).connect(URL) as loop:
        await loop.offer(1000, 0.001)
        await wrong(loop)
        with pytest.raises(BenchError):
            await loop.settle(1)


async def test_silence_and_a_lost_connection_end_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with played(monkeypatch, keep), await OpenLoop(uses()).connect(URL) as loop:
        await loop.offer(1000, 0.001)
        with pytest.raises(BenchError, match="1 commands were not answered"):
            await loop.settle(0.01)
        loop.lost(BrokerError("gone"))
        with pytest.raises(BrokerError, match="gone"):
            await loop.settle(1)


async def test_a_steady_load_counts_what_was_due_in_the_measured_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    async with played(monkeypatch, answer):
        measured = await SteadyLoad(uses(), 1000, seconds=0.1, warm_up=0.05).measure(URL, lambda: looks.append(1))
    assert (measured.commands, measured.answered, measured.per_second) == (100, 150, 1000)
    assert len(looks) == 2


async def test_a_backlog_is_measured_from_when_its_workers_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Backlog(uses(), 1000)
    async with played(monkeypatch, keep) as brokers:
        await load.prepare(URL)
        [broker] = brokers
        assert len(broker.waiting) == 1000
        for _ in range(100):
            load.answered(broker.waiting.pop(), CHARGED)
        asyncio.get_running_loop().call_later(0.05, broker.answer_all)
        measured = await load.measure(URL, lambda: None)
    assert (measured.commands, measured.answered, measured.p50) == (900, 1000, None)
    assert 900 / measured.per_second >= 0.05


@pytest.mark.parametrize(("body", "correlation_id"), [(REPLAYED, b"0"), (CHARGED, b"1000"), (b'{"ok":false}', b"0")])
async def test_a_backlog_with_a_wrong_answer_is_no_measurement(
    monkeypatch: pytest.MonkeyPatch, body: bytes, correlation_id: bytes
) -> None:
    load = Backlog(uses(), 1000)
    async with played(monkeypatch, keep):
        await load.prepare(URL)
        load.answered(correlation_id, body)
        with pytest.raises(BenchError):
            await load.measure(URL, lambda: None)


async def test_a_backlog_that_is_gone_already_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Backlog(uses(), 10)
    async with played(monkeypatch, answer):
        await load.prepare(URL)
        with pytest.raises(BenchError, match="take a larger one"):
            await load.measure(URL, lambda: None)
