"""A caller goes on until each command has one answer: tried on a broker that is played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bench import caller as module
from bench.caller import Caller, Patience
from bench.calls import Call, Sendings
from bench.frames import BrokerError
from contracts.replies import ReplyView

OK = b'{"ok":true}'
NO = b'{"ok":false,"error":{"code":"insufficient_credits","message":"no"}}'
QUICK = Patience(answer=0.05, anything=0.6, after_nack=0.01, reconnect=0.01)

Happening = Callable[["PlayedBroker", bytes], None]


class PlayedBroker:
    """Does with each publish what the script says for it; answers all later ones."""

    blocked = False

    def __init__(self, receiver: Caller, script: Iterator[Happening]) -> None:
        self.receiver = receiver
        self._script = script

    def publish(self, _template: object, _key: bytes, correlation_id: bytes, _body: bytes) -> None:
        happening = next(self._script, answer)
        asyncio.get_running_loop().call_soon(happening, self, correlation_id)

    async def close(self) -> None:
        pass


def answer(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.answered(correlation_id, OK)


def refuse(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.answered(correlation_id, NO)


def nack(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.refused(correlation_id)


def silence(_broker: PlayedBroker, _correlation_id: bytes) -> None:
    pass


def drop(broker: PlayedBroker, _correlation_id: bytes) -> None:
    broker.receiver.lost(BrokerError("gone"))


def unroutable(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.unroutable(correlation_id)


def nonsense(broker: PlayedBroker, correlation_id: bytes) -> None:
    broker.receiver.answered(correlation_id, b"[]")


def late_refusal(broker: PlayedBroker, correlation_id: bytes) -> None:
    """The refusal of a first try comes when the second is under way, and is followed by the second's answer."""
    run, number, tries = correlation_id.split(b".")
    assert tries == b"2"
    broker.receiver.answered(b"%b.%b.1" % (run, number), NO)
    broker.receiver.answered(correlation_id, OK)
    broker.receiver.answered(correlation_id, OK)


async def _play(monkeypatch: pytest.MonkeyPatch, *script: Happening, calls: int = 1) -> tuple[list[Any], Sendings]:
    scripted = iter(script)

    async def connect(_url: str, receiver: Caller) -> PlayedBroker:
        return PlayedBroker(receiver, scripted)

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "_LOOK_AROUND", 0.01)
    answers: list[tuple[int, bool]] = []

    def keep(call: Call, reply: ReplyView) -> None:
        answers.append((call.number, reply.ok))

    async with _in_time(), Caller("amqp://login@host/", in_flight=2, patience=QUICK) as caller:
        sendings = await caller.run((Call(number, "credits.use", "u", b"{}") for number in range(calls)), keep)
    return answers, sendings


@asynccontextmanager
async def _in_time():
    async with asyncio.timeout(5):
        yield


async def test_every_command_gets_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, sendings = await _play(monkeypatch, refuse, calls=5)
    assert sorted(answers) == [(0, False), (1, True), (2, True), (3, True), (4, True)]
    assert sendings == Sendings(published=5)


async def test_what_the_broker_did_not_take_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, sendings = await _play(monkeypatch, nack, nack)
    assert answers == [(0, True)]
    assert sendings == Sendings(published=3, overloaded=2)


async def test_what_is_not_answered_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, sendings = await _play(monkeypatch, silence)
    assert answers == [(0, True)]
    assert sendings == Sendings(published=2, unanswered=1)


async def test_a_refusal_of_an_earlier_try_is_not_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, sendings = await _play(monkeypatch, silence, late_refusal)
    assert answers == [(0, True)]
    assert sendings.late == 2


async def test_a_lost_connection_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, sendings = await _play(monkeypatch, silence, drop, calls=3)
    assert sorted(number for number, _ in answers) == [0, 1, 2]
    assert sendings.unanswered >= 2


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ((unroutable,), "no queue is bound"),
        ((nonsense,), "no reply of the contract"),
        ((silence,) * 100, "no answer came"),
    ],
)
async def test_what_cannot_end_well_is_given_up(
    monkeypatch: pytest.MonkeyPatch, script: tuple[Happening, ...], said: str
) -> None:
    with pytest.raises(BrokerError, match=said):
        await _play(monkeypatch, *script)


async def test_what_the_caller_of_run_raises_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(_url: str, receiver: Caller) -> PlayedBroker:
        return PlayedBroker(receiver, iter(()))

    def fail(_call: Call, _reply: ReplyView) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "connect", connect)
    async with _in_time(), Caller("amqp://login@host/", in_flight=2, patience=QUICK) as caller:
        with pytest.raises(ZeroDivisionError):
            await caller.run([Call(0, "credits.use", "u", b"{}")], fail)
