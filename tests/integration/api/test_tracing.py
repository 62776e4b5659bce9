"""One trace id from REST or AMQP through the queue, the batch and the database to the reply and the event."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx
import pytest

from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.api.collector import Collector, Seen, collecting
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, PASSWORD, SignedIn, sign_up
from tests.integration.workers.events import Subscriber, subscribed
from tests.integration.workers.running import running, until

CALLER = "b7ad6b7169203331"
"""The span of whoever asks us."""
MILLISECOND = 1_000_000
"""In nanoseconds, of which spans tell; when a command was sent is told in whole milliseconds."""
OURS = ("process credits.use", "wait for batch", "transaction", "reply", "publish credits.used")


def new_trace() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def collector() -> Generator[Collector]:
    with collecting() as running_collector:
        yield running_collector


@pytest.fixture(scope="module")
async def http(servers: Instance, logs: Path, collector: Collector) -> AsyncGenerator[httpx.AsyncClient]:
    """A front and a worker that send their spans to the collector."""
    settings = collector.settings
    async with running(servers, logs, environment=settings) as worker, another_front(servers, logs, **settings) as made:
        await worker.ready()
        yield made[1]


@pytest.fixture(scope="module")
async def user(http: httpx.AsyncClient) -> SignedIn:
    return await sign_up(http)


@pytest.fixture(scope="module")
async def client(servers: Instance, http: httpx.AsyncClient) -> AsyncGenerator[Client]:
    """The administrator, at the broker."""
    assert http.base_url
    async with Client.connected(servers.addresses.amqp) as connected:
        yield connected


@pytest.fixture(scope="module")
async def events(servers: Instance) -> AsyncGenerator[Subscriber]:
    async with subscribed(servers.addresses.amqp) as subscriber:
        yield subscriber


async def traced_event(events: Subscriber, key: str) -> str:
    """The ``traceparent`` of the event of the use under this key."""
    found = list[str]()

    async def came() -> bool:
        told = [event for event in events.events if event["data"].get("transaction", {}).get("idempotencyKey") == key]
        found.extend(event["traceparent"] for event in told)
        return bool(found)

    await until(came, f"the event of {key}")
    return found[0]


def is_whole(trace: dict[str, Seen], collector: Collector) -> None:
    """The worker's part: each span where it belongs, and linked with the batch that served others as well."""
    command = trace["process credits.use"]
    assert {trace[name].parent for name in OURS[1:]} == {command.id}
    assert {trace[name].service for name in OURS} == {"mana-worker"}
    assert not any(span.failed for span in trace.values())
    assert command.attributes["mana.result"] == "ok"
    assert trace["publish credits.used"].attributes["mana.verdict"] == "confirmed"

    wait, transaction, reply = (trace[name] for name in OURS[1:4])
    assert command.began == wait.began <= wait.ended <= transaction.began < transaction.ended == reply.began
    assert reply.ended == command.ended

    others = {span.id: span for span in collector.all() if span.trace != command.trace}
    (batch,) = (others[link] for link in command.links)
    assert (batch.name, batch.parent, command.id in batch.links) == ("batch", "", True)
    (shared,) = (others[link] for link in transaction.links)
    assert (shared.name, shared.parent, shared.trace) == ("transaction", batch.id, batch.trace)
    assert shared.attributes["mana.commands"] >= 1


async def test_from_rest_to_the_event(
    http: httpx.AsyncClient, user: SignedIn, events: Subscriber, collector: Collector
) -> None:
    trace, key = new_trace(), secrets.token_hex(8)
    headers = {**user.headers, "traceparent": f"00-{trace}-{CALLER}-01"}
    use = {"amount": 3, "appId": "chat", "description": "d", "idempotencyKey": key}
    answer = await http.post(f"{BASE}/credits/use", json=use, headers=headers)
    assert answer.status_code == 200, answer.text
    event = await traced_event(events, key)

    spans = await collector.has(trace, f"POST {BASE}/credits/use", "ask credits.use", "wait in queue", *OURS)
    request, ask, command = (spans[name] for name in (f"POST {BASE}/credits/use", "ask credits.use", OURS[0]))
    assert (request.parent, ask.parent, command.parent) == (CALLER, request.id, ask.id)
    queued = spans["wait in queue"]
    assert (queued.parent, queued.service, queued.ended) == (ask.id, "mana-worker", command.began)
    assert ask.began - MILLISECOND < queued.began <= queued.ended < ask.ended
    assert request.attributes["mana.request_id"] == answer.headers["x-request-id"]
    assert (request.attributes["http.route"], request.attributes["http.response.status_code"]) == (
        f"{BASE}/credits/use",
        200,
    )
    assert command.attributes["mana.idempotency_key"] == key
    assert command.attributes["messaging.message.id"] == ask.attributes["messaging.message.id"]
    assert event == f"00-{trace}-{command.id}-01"
    is_whole(spans, collector)


async def test_from_amqp_to_the_reply_and_the_event(
    client: Client, user: SignedIn, events: Subscriber, collector: Collector
) -> None:
    trace, key = new_trace(), secrets.token_hex(8)
    use = {"userId": user.id, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": key}
    carried = {"traceparent": f"00-{trace}-{CALLER}-01"}
    reply = await client.exchange(json.dumps(use).encode(), user.id, type="credits.use", headers=carried)
    spans = await collector.has(trace, *OURS)
    assert "wait in queue" not in spans, "nobody said when it was sent"
    assert spans[OURS[0]].parent == CALLER
    assert reply.headers["traceparent"] == f"00-{trace}-{spans[OURS[0]].id}-01" == await traced_event(events, key)
    is_whole(spans, collector)


async def test_a_refusal_is_no_failure_and_says_what_it_was(
    client: Client, user: SignedIn, collector: Collector
) -> None:
    trace = new_trace()
    use = {"userId": user.id, "amount": 10**9, "appId": "chat", "description": "d", "idempotencyKey": "much"}
    carried = {"traceparent": f"00-{trace}-{CALLER}-01"}
    await client.exchange(json.dumps(use).encode(), user.id, type="credits.use", headers=carried)
    spans = await collector.has(trace, "process credits.use", "reply")
    assert (spans[OURS[0]].attributes["mana.result"], spans[OURS[0]].failed) == ("insufficient_credits", False)


async def test_what_its_sender_does_not_want_traced_is_only_carried_on(
    client: Client, user: SignedIn, events: Subscriber, collector: Collector
) -> None:
    """The flag of W3C's context that says: not sampled. Seen by a later command's spans being there."""
    trace, later, key = new_trace(), new_trace(), secrets.token_hex(8)
    use = {"userId": user.id, "amount": 1, "appId": "chat", "description": "d", "idempotencyKey": key}
    unwanted = f"00-{trace}-{CALLER}-00"
    reply = await client.exchange(
        json.dumps(use).encode(), user.id, type="credits.use", headers={"traceparent": unwanted}
    )
    assert reply.headers["traceparent"] == unwanted == await traced_event(events, key)
    use["idempotencyKey"] = secrets.token_hex(8)
    carried = {"traceparent": f"00-{later}-{CALLER}-01"}
    await client.exchange(json.dumps(use).encode(), user.id, type="credits.use", headers=carried)
    await collector.has(later, *OURS)
    assert collector.spans(trace) == {}


async def test_nothing_that_is_sent_is_a_secret(user: SignedIn, collector: Collector) -> None:
    """Nor a part of one: long attributes are cut."""
    sent = b"\n".join(collector.bodies)
    assert user.id.encode() in sent
    for secret in (user.email, *user.access_token.split("."), user.refresh_token, PASSWORD):
        assert secret[:30].encode() not in sent
