"""Goal: what is refused without the ledger counts towards its app's limits too; beyond them nobody hears of it but who
asked for a reply, and nothing is waited for."""

# pyright: reportPrivateUsage=false
# Deliveries come in where the channel would bring them.

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from contracts.apps import App
from contracts.decoding import Envelope
from contracts.permissions import Logins
from contracts.topology import ADMIN_LOGIN, DEAD_QUEUE, EVENTS_EXCHANGE, FRONT_LOGIN, REDRIVE_LOGIN, WORKER_LOGIN
from workers.broker.consumer import Consumer, Delivery, Reply
from workers.intake.answering import Kept
from workers.intake.batching import Portion
from workers.intake.delivering import deliver
from workers.intake.fairness import Fairness, Limits
from workers.intake.holdings import Holdings
from workers.intake.inlet import Desk, Inlet
from workers.intake.outbox import Outbox
from workers.intake.settling import Settled
from workers.meters import Meters

USER = "018f0000-0000-7000-8000-000000000001"
LOGIN = "mallory.k3f9x0a2b7c1"
ALLOWED, SENT = 5, 20
PARTITION = 3

NOT_ITS_APP = b'{"userId":"%s","idempotencyKey":"k","amount":1,"appId":"chat","description":"d"}' % USER.encode()
KINDS = [
    pytest.param(NOT_ITS_APP, USER, EVENTS_EXCHANGE, "app_mismatch", id="another's appId"),
    pytest.param(b"[]", USER, "", "invalid_request", id="unreadable"),
    pytest.param(b"{}", "nobody", "", "invalid_request", id="of no user"),
]
"""Body, routing key, the exchange of what is kept of it, and the refusal."""


class _Channel:
    """Remembers what was acknowledged, and how many replies left."""

    def __init__(self) -> None:
        self.replies: list[bytes] = []
        self.acks: list[int] = []

    def answer(self, frames: Iterable[bytes]) -> None:
        self.replies.extend(frames)

    def ack(self, tag: int) -> None:
        self.acks.append(tag)


class _Inlet(Inlet):
    """On that channel. A reply's frame is its body."""

    def __init__(self, desk: Desk, channel: _Channel) -> None:
        super().__init__(PARTITION, desk)
        self._outbox = Outbox(cast(Consumer, channel), desk.keep, desk.send_late)

    @property
    def lost(self) -> asyncio.Event:
        return asyncio.Event()

    def frame(self, reply: Reply) -> bytes:
        return reply.body


class _Owner:
    """Of the partition alone."""

    def __init__(self) -> None:
        self.epochs = {PARTITION: 1}


class Taking:
    """A partition of a worker that owns all, whose clock stands still."""

    def __init__(self, limits: Limits, **desk: Any) -> None:
        fairness = Fairness(limits, partitions=1)
        self.registry = CollectorRegistry()
        self.meters = Meters(self.registry)
        self.kept: list[Kept] = []
        self.refused: list[tuple[str | None, str, int]] = []
        self.channel = _Channel()
        self.inlet = _Inlet(
            Desk(
                Logins(),
                lambda _: None,
                self._keep,
                lambda _: None,
                self.meters,
                admit=lambda app: fairness.admit(app, 1, 0.0),
                let_go=fairness.answered,
                refused=lambda login, app, partition: self.refused.append((login, app.id, partition)),
                **desk,
            ),
            self.channel,
        )
        self._tag = 0

    async def _keep(self, kept: Kept) -> None:
        self.kept.append(kept)

    async def send(self, number: int, body: bytes, routing_key: str, **properties: Any) -> None:
        """So many at once; returns once they are answered, and what is kept is."""
        for _ in range(number):
            self._tag += 1
            told: dict[str, Any] = {"type": "credits.use", "login": LOGIN, "message_id": f"m{self._tag}", **properties}
            envelope = Envelope(routing_key=routing_key, **told)
            self.inlet._on_delivery(Delivery(self._tag, envelope, body, 0, None))
        settled = Settled([Portion(self.inlet, self.inlet.take(number))], {}, [], datetime.now(UTC))
        deliver(settled, cast(Holdings, _Owner()), self.meters)
        await self.inlet.drained()
        assert self.channel.acks[-1] == self._tag

    def beyond(self, app_id: str, limit: str = "rate") -> float | None:
        """How many are counted as beyond the limit."""
        labels = {"app": app_id, "limit": limit}
        return self.registry.get_sample_value("mana_app_commands_refused_total", labels)


@pytest.mark.parametrize(("body", "routing_key", "exchange", "_code"), KINDS)
async def test_beyond_the_limits_nothing_is_kept_and_the_login_is_suspected(
    body: bytes, routing_key: str, exchange: str, _code: str
) -> None:
    taking = Taking(Limits(ALLOWED, 1_000))
    await taking.send(SENT, body, routing_key)
    assert [kept.message.exchange for kept in taking.kept] == [exchange] * ALLOWED
    assert taking.refused == [(LOGIN, "mallory", PARTITION)] * (SENT - ALLOWED)
    assert taking.beyond("mallory") == SENT - ALLOWED


@pytest.mark.parametrize(("body", "routing_key", "_exchange", "code"), KINDS)
async def test_who_asked_is_told_the_same_refusal_beyond_as_within(
    body: bytes, routing_key: str, _exchange: str, code: str
) -> None:
    taking = Taking(Limits(ALLOWED, 1_000))
    await taking.send(SENT, body, routing_key, reply_to="mallory.replies")
    assert len(taking.channel.replies) == SENT
    assert all(f'"{code}"'.encode() in reply for reply in taking.channel.replies)
    assert len(taking.kept) <= ALLOWED


async def test_all_who_prove_no_login_have_one_limit_together() -> None:
    taking = Taking(Limits(ALLOWED, 1_000))
    await taking.send(SENT, NOT_ITS_APP, USER, login=None)
    await taking.send(1, NOT_ITS_APP, USER)
    assert len(taking.kept) == ALLOWED + 1
    assert taking.beyond("") == SENT - ALLOWED


async def test_what_is_answered_makes_room() -> None:
    taking = Taking(Limits(1_000_000, ALLOWED))
    for _ in range(3):
        await taking.send(ALLOWED, NOT_ITS_APP, USER)
    assert (len(taking.kept), taking.refused) == (3 * ALLOWED, [])
    await taking.send(ALLOWED + 1, NOT_ITS_APP, USER)
    assert taking.beyond("mallory", "unanswered") == 1


async def test_what_comes_again_is_told_whatever_else_its_app_sends() -> None:
    """It may have been within the limits when it came first, and its event not be confirmed."""
    taking = Taking(Limits(ALLOWED, 1_000))
    await taking.send(SENT, NOT_ITS_APP, USER)
    await taking.send(SENT, NOT_ITS_APP, USER, redelivered=True)
    await taking.send(SENT, NOT_ITS_APP, USER, login=REDRIVE_LOGIN, sender=LOGIN, kept_since="2026-01-01T00:00:00Z")
    assert len(taking.kept) == ALLOWED + 2 * SENT
    assert len(taking.refused) == SENT - ALLOWED


@pytest.mark.parametrize("login", [ADMIN_LOGIN, FRONT_LOGIN, WORKER_LOGIN])
async def test_administrators_and_our_own_have_no_limit(login: str) -> None:
    taking = Taking(Limits(ALLOWED, 1_000))
    await taking.send(SENT, b"[]", USER, login=login)
    assert [kept.message.routing_key for kept in taking.kept] == [DEAD_QUEUE] * SENT
    assert taking.refused == []


async def test_what_the_front_sends_for_an_app_counts_as_the_apps() -> None:
    apps = {"shop": App("shop", frozenset())}
    taking = Taking(Limits(ALLOWED, 1_000), apps=lambda: apps)
    await taking.send(SENT, NOT_ITS_APP, USER, login=FRONT_LOGIN, on_behalf="shop", reply_to="front.replies")
    assert taking.beyond("shop") == SENT - ALLOWED
    assert [b'"forbidden"' in reply for reply in taking.channel.replies] == [True] * SENT
    assert taking.kept == []
