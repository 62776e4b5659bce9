"""Stripe's webhook at a real front with a real broker: what is proved is queued as it came, all else is refused."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from pathlib import Path

import asyncpg
import httpx
import pytest

from contracts.stripe import EVENT_BYTES_MAX
from contracts.topology import FRONT_LOGIN, STRIPE_EXCHANGE, STRIPE_QUEUE, STRIPE_QUEUE_ARGUMENTS
from ops import ports, urls
from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import running
from ops.instance import Instance
from ops.management import Management
from tests.faults.tools.proxy import Proxy
from tests.integration.api.process import Process, front, until_ready
from tests.integration.api.stripe_events import (
    BOTH,
    EVENTS_PER_MINUTE,
    OLD_SECRET,
    SECRET,
    WEBHOOK,
    StripeQueue,
    deliver,
    event,
    signature,
    stripe_queue,
)
from tests.integration.api.users import BASE, assert_problem, fields

LIMITED = {"RATE_LIMIT_MAX": "1", "RATE_LIMIT_TTL": "1h"}
"""What one client may ask in an hour."""


@pytest.fixture(scope="module")
async def proxy(servers: Instance) -> AsyncGenerator[Proxy]:
    """What stands before the broker."""
    async with Proxy.before(servers.addresses.amqp_as(FRONT_LOGIN)) as before:
        yield before


@pytest.fixture(scope="module")
async def hearing(servers: Instance, logs: Path, proxy: Proxy) -> AsyncGenerator[Process]:
    """A front that hears Stripe, in the midst of a rotation."""
    url = proxy.url(servers.addresses.amqp_as(FRONT_LOGIN))
    async with front(servers, logs, AMQP_URL=url, STRIPE_WEBHOOK_SECRET=BOTH, **LIMITED) as process:
        await until_ready(process)
        yield process


@pytest.fixture
async def stripe(hearing: Process) -> AsyncGenerator[httpx.AsyncClient]:
    """Stripe, as far as the front can tell."""
    async with httpx.AsyncClient(base_url=hearing.url, timeout=20, headers={"user-agent": "Stripe/1.0"}) as http:
        yield http


@pytest.fixture
async def queue(servers: Instance) -> AsyncGenerator[StripeQueue]:
    async with stripe_queue(servers) as found:
        yield found


@pytest.fixture
async def broker(servers: Instance) -> AsyncGenerator[Management]:
    url, login = servers.env["MANA_RABBITMQ_MANAGEMENT_URL"], urls.login_of(servers.env["MANA_AMQP_URL"])
    async with Management(url, *login) as management:
        yield management


async def _until(status: int, http: httpx.AsyncClient) -> list[str]:
    """Delivers until that is answered; the ids that were taken on the way."""
    taken = list[str]()
    async with asyncio.timeout(20):
        for number in range(10_000):
            answer = await deliver(http, event(event_id := f"evt_until_{status}_{number}"))
            if answer.status_code == 200:
                taken.append(event_id)
            if answer.status_code == status:
                return taken
            assert answer.status_code in {200, 503}
    raise AssertionError


async def test_an_event_is_queued_as_it_came(stripe: httpx.AsyncClient, queue: StripeQueue) -> None:
    body = event("evt_1NG8Du2eZvKYlo2C_ab")
    answer = await deliver(stripe, body)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (message,) = await queue.all()
    assert message.body == body
    assert (message.message_id, message.content_type) == ("evt_1NG8Du2eZvKYlo2C_ab", "application/json")
    assert (message.delivery_mode, message.user_id, message.exchange) == (2, FRONT_LOGIN, STRIPE_EXCHANGE)


async def test_the_old_secret_counts_while_it_is_replaced(stripe: httpx.AsyncClient, queue: StripeQueue) -> None:
    for secret in (SECRET, OLD_SECRET):
        body = event()
        assert (await deliver(stripe, body, signature(body, secret))).status_code == 200
    assert len(await queue.ids()) == 2


def _of_now(body: bytes) -> str:
    return signature(body)


REFUSED: dict[str, tuple[bytes, Callable[[bytes], str], str, str]] = {
    "no signature": (event(), lambda _: "", "header", "Stripe-Signature"),
    "garbled": (event(), lambda _: "t=now,v1=ü", "header", "Stripe-Signature"),
    "forged": (event(), lambda body: signature(body)[:-64] + "0" * 64, "forged", "Stripe-Signature"),
    "changed body": (event(), lambda body: signature(body.replace(b"1.10", b"1.1")), "forged", "Stripe-Signature"),
    "other endpoint": (
        event(),
        lambda body: signature(body, "whsec_of_another_endpoint"),
        "forged",
        "Stripe-Signature",
    ),
    "301 s old": (event(), lambda body: signature(body, at=time.time() - 301), "stale", "Stripe-Signature"),
    "far ahead": (event(), lambda body: signature(body, at=time.time() + 400), "ahead", "Stripe-Signature"),
    "not JSON": (b'{"id": "evt_1", "type": "a"', _of_now, "malformed", "body"),
    "no object": (b'["evt_1", "a"]', _of_now, "malformed", "body"),
    "no id of an event": (b'{"id": "in_1", "type": "a"}', _of_now, "malformed", "body"),
    "not UTF-8": (b'{"id": "evt_1", "type": "a", "x": "\xff"}', lambda _: signature(b""), "encoding", "body"),
}
"""The body, its signature, and by which reason and field it is refused. Seconds may pass until the front
looks, so what is too far ahead is so by many; a unit test has the bound."""


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_proved_is_refused(stripe: httpx.AsyncClient, queue: StripeQueue, case: str) -> None:
    body, signed, reason, field = REFUSED[case]
    before = await _counted(stripe, reason)
    answer = await deliver(stripe, body, signed(body))
    assert fields(assert_problem(answer, 400, "invalid_request")) == [field]
    assert await queue.all() == []
    assert await _counted(stripe, reason) == before + 1


@pytest.mark.parametrize("signed", ["", "Stripe-Signature: t=now,v1=0\r\n"])
async def test_no_body_is_waited_for_where_no_signature_could_be_one(hearing: Process, signed: str) -> None:
    """The length is told, and no byte of it comes."""
    address = httpx.URL(hearing.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    with closing(writer):
        writer.write(f"POST {WEBHOOK} HTTP/1.1\r\nHost: mana\r\n{signed}Content-Length: 1000\r\n\r\n".encode())
        async with asyncio.timeout(20):
            assert b" 400 " in await reader.readline()


async def _counted(http: httpx.AsyncClient, outcome: str) -> int:
    found = re.search(rf'mana_stripe_webhooks_total{{outcome="{outcome}"}} (\d+)', (await http.get("/metrics")).text)
    assert found is not None
    return int(found[1])


async def test_a_flood_of_refusals_fills_no_table(servers: Instance, logs: Path, owner: asyncpg.Connection) -> None:
    """Each event says why and where from, and how many were left out before it; the body it does not hold."""
    await owner.execute("DELETE FROM auth.security_events WHERE type = 'webhook.refused'")
    settings = {"STRIPE_WEBHOOK_SECRET": SECRET, "TRUSTED_PROXIES": "127.0.0.1", **LIMITED}
    reasons = [reason for _, _, reason, _ in REFUSED.values()]
    async with (
        front(servers, logs, **settings) as process,
        httpx.AsyncClient(base_url=process.url, timeout=40, headers={"x-forwarded-for": "203.0.113.9"}) as http,
    ):
        first = time.time() // 60
        for body, signed, _, _ in [*REFUSED.values()] * 2:
            assert (await deliver(http, body, signed(body))).status_code == 400
        minutes = time.time() // 60 - first + 1
        assert [await _counted(http, reason) for reason in reasons] == [2 * reasons.count(reason) for reason in reasons]
    rows = await owner.fetch(
        "SELECT user_id, host(address) AS address, details::text FROM auth.security_events"
        " WHERE type = 'webhook.refused' ORDER BY id"
    )
    assert EVENTS_PER_MINUTE <= len(rows) <= EVENTS_PER_MINUTE * minutes
    assert {(row["user_id"], row["address"]) for row in rows} == {(None, "203.0.113.9")}
    details = [json.loads(row["details"]) for row in rows]
    assert details[:EVENTS_PER_MINUTE] == [
        {"reason": reason, "left_out": "0"} for reason in reasons[:EVENTS_PER_MINUTE]
    ]


async def test_the_largest_event_is_taken_and_a_larger_one_is_not(
    stripe: httpx.AsyncClient, queue: StripeQueue
) -> None:
    body = event(padding="x" * 999_000)
    body = event(padding="x" * (999_000 + EVENT_BYTES_MAX - len(body)))
    assert len(body) == EVENT_BYTES_MAX
    assert (await deliver(stripe, body)).status_code == 200
    (message,) = await queue.all()
    assert message.body == body
    for larger in (body + b" ", body + b" " * 1_000_000):
        assert_problem(await deliver(stripe, larger), 413, "payload_too_large")
    assert await queue.all() == []


async def test_no_more_is_read_of_a_body_without_a_length(hearing: Process, stripe: httpx.AsyncClient) -> None:
    """64 MB: the process does not grow by as much as that."""

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(64):
            yield b" " * 1_000_000

    before = _peak_mb(hearing)
    answer = await stripe.post(WEBHOOK, content=chunks(), headers={"stripe-signature": "t=1,v1=" + "0" * 64})
    assert_problem(answer, 413, "payload_too_large")
    assert _peak_mb(hearing) < before + 20


def _peak_mb(process: Process) -> float:
    status = Path(f"/proc/{process.child.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1_000


async def test_no_limit_holds_stripe_up(stripe: httpx.AsyncClient, queue: StripeQueue) -> None:
    """The same client may ask for one thing else in an hour."""
    asked = [(await stripe.get(f"{BASE}/auth/jwks")).status_code for _ in range(3)]
    assert 429 in asked  # not each time: a Redis that is late for once is not waited for
    answers = await asyncio.gather(*(deliver(stripe, event()) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)
    assert len(await queue.ids()) == 20


async def test_while_the_broker_is_away_stripe_is_told_to_come_again(
    stripe: httpx.AsyncClient, queue: StripeQueue, proxy: Proxy
) -> None:
    async with proxy.down():
        answer = await deliver(stripe, event("evt_lost"))
        assert_problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
    assert await _until(200, stripe) == [event_id := (await queue.ids())[0]]
    assert event_id.startswith("evt_until_200")


async def test_a_full_queue_takes_nothing(
    servers: Instance, stripe: httpx.AsyncClient, queue: StripeQueue, broker: Management
) -> None:
    """What was answered 200 is on it; what was not, is not."""
    vhost = urls.vhost_of(servers.env["MANA_AMQP_URL"])
    bound = {"pattern": r"^stripe\.events$", "definition": {"max-length": 3}, "apply-to": "queues", "priority": 9}
    await broker.put("policies", vhost, "test-stripe", body=bound)
    try:
        taken = await _until(503, stripe)
        answer = await deliver(stripe, event())
        assert_problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert await queue.ids() == taken
    finally:
        await broker.delete("policies", vhost, "test-stripe")
    assert len(await _until(200, stripe)) == 1


@pytest.mark.parametrize("part", ["queues", "exchanges"])
async def test_without_queue_or_exchange_nothing_is_taken(
    servers: Instance, stripe: httpx.AsyncClient, queue: StripeQueue, broker: Management, part: str
) -> None:
    vhost = urls.vhost_of(servers.env["MANA_AMQP_URL"])
    await broker.delete(part, vhost, STRIPE_QUEUE)
    try:
        assert_problem(await deliver(stripe, event()), 503, "overloaded")
    finally:
        await broker.put("queues", vhost, STRIPE_QUEUE, body={"durable": True, "arguments": STRIPE_QUEUE_ARGUMENTS})
        await broker.put("exchanges", vhost, STRIPE_EXCHANGE, body={"type": "fanout", "durable": True})
        await broker.post("bindings", vhost, "e", STRIPE_EXCHANGE, "q", STRIPE_QUEUE, body={"routing_key": ""})
    taken = await _until(200, stripe)
    assert await queue.ids() == taken


async def test_neither_database_nor_redis_is_needed(servers: Instance, logs: Path, queue: StripeQueue) -> None:
    """A refusal that cannot be written down among the events stands in the log."""
    nowhere = f"127.0.0.1:{ports.choose(None, ())}"
    settings = {
        "DATABASE_URL": f"postgresql://mana_api:x@{nowhere}/mana",
        "REDIS_URL": f"redis://{nowhere}/0",
        "STRIPE_WEBHOOK_SECRET": SECRET,
        **LIMITED,
    }
    async with (
        front(servers, logs, **settings) as process,
        httpx.AsyncClient(base_url=process.url, timeout=40) as http,
    ):
        await _until(200, http)
        assert len(await queue.ids()) == 1
        assert_problem(await deliver(http, event(), "t=1,v1=" + "0" * 64), 400, "invalid_request")
        assert '"a webhook was refused"' in process.output
        assert "buying is off: STRIPE_SECRET_KEY is not set" in process.output
        assert "is heard" not in process.output


async def test_without_a_secret_nothing_is_heard(api: Process, http: httpx.AsyncClient) -> None:
    """It is said at the start, and to Stripe, which tries again for days."""
    body = event()
    assert_problem(await deliver(http, body, signature(body)), 503, "payments_disabled")
    assert "nothing that Stripe tells is heard: STRIPE_WEBHOOK_SECRET is not set" in api.output
    assert await _counted(http, "disabled") >= 1


async def test_what_the_stand_in_delivers_arrives(
    hearing: Process, queue: StripeQueue, proxy: Proxy, tmp_path: Path
) -> None:
    """Signed by it, not by us; what was not taken while the broker was away comes again."""
    options = ("--endpoint", f"{hearing.url}{WEBHOOK}", "--endpoint-secret", SECRET)
    async with running(tmp_path / "stripe.log", *options) as stand_in, Remote(stand_in.url) as remote:
        charge = {"id": "ch_1", "object": "charge", "description": "Grüße €"}
        async with proxy.down():
            await remote.forge("charge.refunded", charge)
            await remote.deliver_now()
            (delivery,) = await remote.deliveries()
            assert [answer["status"] for answer in delivery["answers"]] == [503] * len(delivery["answers"])
        async with asyncio.timeout(20):
            while (await remote.deliver_now()).get("delivered") != 1:
                pass
        (message,) = await queue.all()
    told = json.loads(message.body)
    assert (told["id"], told["type"]) == (delivery["event"], "charge.refunded")
    assert (told["data"]["object"], message.message_id) == (charge, delivery["event"])
