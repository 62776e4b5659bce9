"""A batch before a scripted ledger: whole, tried again, halved, or partly lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from contracts.commands import ReadBalance
from contracts.decoding import Envelope
from contracts.permissions import Actor
from contracts.replies import Balance, BalanceRead
from workers.broker.consumer import Delivery
from workers.intake import settling
from workers.intake.batching import Portion
from workers.intake.inlet import Inlet
from workers.intake.reading import Item
from workers.intake.settling import Poison, Settled, Settler
from workers.ledger.execute import Committed
from workers.ledger.faults import BatchRejected, Broken, ConnectionLost, LeaseLost, TryAgain
from workers.ledger.model import Request
from workers.meters import Meters

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ANSWER = BalanceRead(Balance(0, 0, 0, 0))
_Script = Callable[[list[str]], None]


def _item(number: int, partition: int = 0) -> Item:
    user = f"user-{number}"
    request = Request(command=ReadBalance(user_id=user), actor=Actor("app"), partition=partition)
    return Item(Delivery(number, Envelope(routing_key=user), b"", 0, None), partition, None, None, request)


class _Fences:
    def __init__(self, *partitions: int) -> None:
        self.epochs = dict.fromkeys(partitions, 1)
        self.written: list[dict[int, int]] = []

    def marks(self, partitions: set[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 7)

    def wrote(self, marks: dict[int, int]) -> None:
        self.written.append(marks)

    def lose(self, partitions: frozenset[int]) -> None:
        for partition in partitions:
            del self.epochs[partition]


class _Ledger:
    """Does what its script says about each batch of users, else commits."""

    def __init__(self, script: _Script) -> None:
        self._script = script
        self.tried: list[list[str]] = []
        self.committed: list[str] = []

    async def execute(
        self, requests: Sequence[Request], epochs: Mapping[int, int], marks: Mapping[int, int]
    ) -> Committed:
        assert epochs.keys() == marks.keys() == {request.partition for request in requests}
        users = [request.user_id for request in requests]
        self.tried.append(users)
        self._script(users)
        self.committed += users
        return Committed([_ANSWER for _ in users], {}, _NOW)


async def _settle(
    ledger: _Ledger, items: list[Item], fences: _Fences | None = None, registry: CollectorRegistry | None = None
) -> Settled:
    settler = Settler(ledger.execute, fences or _Fences(0, 1), Meters(registry or CollectorRegistry()))
    return await settler.settle([Portion(cast(Inlet, None), items)])


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "_PAUSE_SECONDS", (0.0001, 0.001))


async def test_a_batch_is_committed_whole() -> None:
    ledger, fences, items = _Ledger(lambda _: None), _Fences(0, 1), [_item(number) for number in range(5)]
    settled = await _settle(ledger, items, fences)
    assert [settled.outcomes[id(item)] for item in items] == [_ANSWER] * 5
    assert (len(ledger.tried), settled.now, fences.written) == (1, _NOW, [{0: 7}])


@pytest.mark.parametrize("culprit", [0, 1, 77, 198, 199])
@pytest.mark.parametrize("error", [BatchRejected("no"), ZeroDivisionError("rules")])
async def test_the_culprit_is_found_and_order_is_kept(culprit: int, error: Exception) -> None:
    def script(users: list[str]) -> None:
        if f"user-{culprit}" in users:
            raise error

    ledger, items = _Ledger(script), [_item(number) for number in range(200)]
    settled = await _settle(ledger, items)
    assert ledger.committed == [f"user-{number}" for number in range(200) if number != culprit]
    assert len(ledger.tried) <= 17
    outcomes = [settled.outcomes[id(item)] for item in items]
    assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Poison)] == [culprit]


@pytest.mark.parametrize(("conflicts", "outcome"), [(1, _ANSWER), (2, Poison("BatchRejected: 23505"))])
async def test_a_lone_command_looks_twice_before_a_constraint_makes_it_poison(conflicts: int, outcome: object) -> None:
    tries = iter([BatchRejected("23505", conflict=True)] * conflicts)

    def script(_: list[str]) -> None:
        if error := next(tries, None):
            raise error

    ledger, item, registry = _Ledger(script), _item(0), CollectorRegistry()
    settled = await _settle(ledger, [item], registry=registry)
    assert settled.outcomes[id(item)] == outcome
    assert ledger.tried == [["user-0"]] * 2
    assert registry.get_sample_value("mana_commands_looked_at_twice_total") == 1


async def test_what_is_nobodys_fault_is_tried_again_whole() -> None:
    tries = iter([TryAgain("40001")] * 5)

    def script(_: list[str]) -> None:
        if error := next(tries, None):
            raise error

    ledger = _Ledger(script)
    await _settle(ledger, [_item(number) for number in range(3)])
    assert ledger.tried == [["user-0", "user-1", "user-2"]] * 6


async def test_lost_partitions_are_dropped_and_the_others_go_on() -> None:
    def script(users: list[str]) -> None:
        if "user-1" in users:
            raise LeaseLost([1])

    ledger, fences = _Ledger(script), _Fences(0, 1)
    items = [_item(0), _item(1, partition=1), _item(2)]
    settled = await _settle(ledger, items, fences)
    assert ledger.committed == ["user-0", "user-2"]
    assert id(items[1]) not in settled.outcomes
    assert fences.epochs == {0: 1}


@pytest.mark.parametrize("fault", [ConnectionLost("gone"), Broken("42P01"), MemoryError()])
async def test_what_ends_the_term_is_not_the_commands_business(fault: Exception) -> None:
    def script(_: list[str]) -> None:
        raise fault

    with pytest.raises(type(fault)):
        await _settle(_Ledger(script), [_item(0), _item(1)])
