"""Stripe answers what it should not, or does not answer: each event is tried again or is an alarm, and none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.payments import Event, Seller, event, payments_worker, selling
from tests.integration.workers.running import Running, until


class Edge:
    """What stands in Stripe's place: gives one answer to everything, or none while there is none to give."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] | None = None
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, and one request on it."""
        await reader.readuntil(b"\r\n\r\n")
        if self.answer is None:
            await reader.read()
        else:
            status, body = self.answer
            head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        writer.close()


@pytest.fixture
async def edge() -> AsyncGenerator[Edge]:
    one = Edge()
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0) as server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield one


@pytest.fixture
async def payments(servers: Instance, logs: Path, edge: Edge) -> AsyncGenerator[Running]:
    async with payments_worker(servers, logs, edge.url) as process:
        yield process


@pytest.fixture
async def seller(servers: Instance, stand_in: StandIn, client: Client, payments: Running) -> AsyncGenerator[Seller]:
    async with selling(servers, stand_in.url, client) as one:
        yield one


def _asked_about(number: int = 0) -> Event:
    """Of a payment that nobody here knows."""
    money = {"amount": 100, "currency": "eur"}
    return event("refund.created", {"id": "re_1", "status": "succeeded", "payment_intent": f"pi_edge{number}", **money})


async def _said(process: Running, words: str, within: float = 30) -> None:
    async def look() -> bool:
        return any(line.get("event") == words for line in process.output)

    await until(look, words, process.log, within=within)


async def test_an_answer_that_is_no_such_thing_is_an_alarm_of_that_event(
    edge: Edge, payments: Running, seller: Seller
) -> None:
    edge.answer = 200, b"[]"
    told = _asked_about()
    await seller.tell(told)
    await _said(payments, "an event of Stripe's needs somebody")
    row = (await seller.rows([told["id"]]))[told["id"]]
    assert (row["done_at"], row["outcome"]) == (None, None)
    assert row["reason"].startswith("our own fault")
    assert row["done_at"] is None
    assert row["due_at"].timestamp() - row["received_at"].timestamp() > 3000
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = $1", told["id"])


async def test_a_conflict_at_stripe_is_over_later(edge: Edge, payments: Running, seller: Seller) -> None:
    edge.answer = 409, b'{"error": {"type": "invalid_request_error", "code": "lock_timeout", "message": "in use"}}'
    told = _asked_about()
    await seller.tell(told)
    await _said(payments, "Stripe cannot be asked")
    row = (await seller.rows([told["id"]]))[told["id"]]
    assert (row["done_at"], row["reason"]) == (None, None)
    edge.answer = 404, b'{"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "none"}}'
    rows = await seller.done(told["id"])
    assert rows[told["id"]]["reason"] == "of a payment that Stripe does not know"


@pytest.mark.slow
async def test_who_waits_for_a_turn_waits_no_longer_than_the_event_is_ours(payments: Running, seller: Seller) -> None:
    """Stripe answers nothing; each question is given up by itself sooner than that."""
    told = [_asked_about(number) for number in range(60)]
    await seller.tell(*told)
    await _said(payments, "Stripe was too slow", within=60)
    names = [one["id"] for one in told]
    await seller.owner.execute("DELETE FROM credits.stripe_events WHERE id = ANY ($1)", names)
