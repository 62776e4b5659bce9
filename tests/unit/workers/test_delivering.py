"""What no frame can hold is kept in place of an answer, and its neighbours are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from contracts.decoding import Envelope, Rejected
from contracts.errors import invalid_field
from contracts.permissions import Logins
from contracts.topology import DEAD_QUEUE
from workers.broker.consumer import Delivery, Reply
from workers.broker.fields import short
from workers.broker.lenient import text
from workers.intake import reading
from workers.intake.answering import Answer
from workers.intake.batching import Portion
from workers.intake.delivering import UnsettledError, deliver
from workers.intake.holdings import Holdings
from workers.intake.inlet import Desk, Inlet
from workers.intake.reading import Item, read
from workers.intake.settling import Settled
from workers.meters import Meters


class _Inlet(Inlet):
    """Frames an address as a channel would; remembers what it was to send."""

    def __init__(self) -> None:
        super().__init__(0, cast(Desk, None))
        self.answers: list[Answer] = []

    @property
    def lost(self) -> asyncio.Event:
        return asyncio.Event()

    def frame(self, reply: Reply) -> bytes:
        return short(reply.to)

    def answer(self, items: list[Item], answers: Iterable[Answer]) -> None:
        self.answers.extend(answers)


class _Holdings:
    """Partition 0 is ours."""

    def __init__(self) -> None:
        self.epochs = {0: 1}


def _item(reply_to: str) -> Item:
    delivery = Delivery(1, Envelope(routing_key="u", reply_to=reply_to), b"{}", 0, None)
    rejected = Rejected(invalid_field("type", "is unknown"), False, reply_to)
    return Item(delivery, 0, reply_to, None, rejected=rejected)


def _settled(inlet: Inlet, *items: Item) -> Settled:
    return Settled([Portion(inlet, list(items))], {}, [], datetime.now(UTC))


def test_what_cannot_be_framed_is_kept() -> None:
    inlet = _Inlet()
    deliver(_settled(inlet, _item("x" * 256), _item("b")), cast(Holdings, _Holdings()), Meters(CollectorRegistry()))
    kept, answered = inlet.answers
    assert kept.reply is None
    assert kept.kept is not None
    assert kept.kept.message.routing_key == DEAD_QUEUE
    assert answered.frames == b"\x01b"


def test_what_has_no_outcome_is_never_acknowledged() -> None:
    inlet = _Inlet()
    item = Item(_item("a").delivery, 0, "a", None)
    with pytest.raises(UnsettledError):
        deliver(_settled(inlet, item), cast(Holdings, _Holdings()), Meters(CollectorRegistry()))
    assert inlet.answers == []


def test_an_address_that_is_no_text_is_none_whatever_else_is_damaged() -> None:
    envelope = Envelope(routing_key="u", correlation_id=text(b"\xff"), reply_to=text(b"\xff" * 255))
    item = read(Delivery(1, envelope, b"{}", 0, "correlation_id"), 0, Logins())
    assert item.rejected is not None
    assert item.reply_to is None


def test_a_lack_of_memory_is_not_held_against_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "decode", decode)
    with pytest.raises(MemoryError):
        read(Delivery(1, Envelope(routing_key="user"), b"{}", 0, None), 0, Logins())
