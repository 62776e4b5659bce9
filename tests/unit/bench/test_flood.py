"""A flood sends at its rate or without a pause, never slows down for a refusal, and accounts for all. The broker is
played."""

from __future__ import annotations

import asyncio
from itertools import repeat
from typing import Any

import pytest

from bench import flood as flood_module
from bench.errors import BenchError
from bench.flood import Counts, Flood
from bench.uses import Uses

URL = "amqp://flood@localhost"
FATES = (b'{"ok":true,"replayed":false}', b'{"ok":false,"error":{"code":"overloaded"}}', None)


class _Broker:
    """Carries out, refuses as too many, does not take: by turns."""

    unconfirmed = 0
    unsent = 0

    def __init__(self, receiver: Any, fates: tuple[bytes | None, ...]) -> None:
        self._receiver = receiver
        self._fates = fates
        self.sent = 0

    def publish(self, _template: object, _key: bytes, correlation_id: bytes, _body: bytes) -> None:
        fate = self._fates[self.sent % len(self._fates)]
        self.sent += 1
        if fate is None:
            self._receiver.refused(correlation_id)
        else:
            self._receiver.answered(correlation_id, fate)

    async def close(self) -> None:
        pass


async def _run(
    monkeypatch: pytest.MonkeyPatch, rate: float, fates: tuple[bytes | None, ...] = FATES
) -> tuple[Counts, _Broker]:
    brokers: list[_Broker] = []

    async def connect(_url: str, receiver: Any) -> _Broker:
        brokers.append(_Broker(receiver, fates))
        return brokers[-1]

    monkeypatch.setattr(flood_module, "connect", connect)
    flood = Flood(URL, Uses(repeat(b"a user"), "run", "flood"), rate)
    running = asyncio.create_task(flood.run())
    while not running.done() and not (brokers and brokers[0].sent >= 30):
        await asyncio.sleep(0)
    flood.ending = True
    return await running, brokers[0]


@pytest.mark.parametrize("rate", [0.0, 10_000.0])
async def test_all_is_accounted_for(monkeypatch: pytest.MonkeyPatch, rate: float) -> None:
    counts, broker = await _run(monkeypatch, rate)
    assert counts.sent == broker.sent == counts.not_taken + counts.overloaded + counts.charged
    assert min(counts.not_taken, counts.overloaded, counts.charged) >= 10


async def test_another_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match="account_frozen"):
        await _run(monkeypatch, 0.0, (b'{"ok":false,"error":{"code":"account_frozen"}}',))
