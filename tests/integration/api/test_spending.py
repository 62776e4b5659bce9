"""``POST /credits/use`` against a scripted ledger: every answer of the contract, and what is sent for it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import httpx
import pytest

from contracts.errors import REST_STATUS
from contracts.topology import PREFETCH
from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger, done, refusal, silence
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields, login, register

USE = f"{BASE}/credits/use"
BODY: dict[str, Any] = {"amount": 3, "appId": "chat", "description": "GPT answer"}


async def test_the_reply_comes_without_ok_and_as_it_was_written(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    answer = await http.post(USE, json={**BODY, "idempotencyKey": "k-1", "metadata": {"m": 1}}, headers=user.headers)
    assert answer.status_code == 200
    assert set(answer.json()) == {"transaction", "balance", "replayed"}
    assert '"metadata": {"n": 1.10}' in answer.text
    _, body, _ = ledger.seen[-1]
    assert body == {**BODY, "idempotencyKey": "k-1", "metadata": {"m": 1}, "userId": user.id}


async def test_the_message_is_as_the_contract_says(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    await http.post(USE, json=BODY, headers=user.headers)
    _, _, message = ledger.seen[-1]
    assert (message.type, message.content_type, message.user_id) == ("credits.use", "application/json", "mana-front")
    assert (message.routing_key, message.delivery_mode) == (user.id, 2)
    assert message.message_id == message.correlation_id
    assert (message.reply_to or "").startswith("amq.rabbitmq.reply-to")


async def test_metadata_reaches_the_ledger_letter_by_letter(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    raw = '{"amount":1,"appId":"a","description":"d","metadata":{"n":1.10,"big":123456789012345678901234567890}}'
    assert (await http.post(USE, content=raw, headers=user.headers)).status_code == 200
    assert b'"n":1.10' in ledger.seen[-1][2].body
    assert b"123456789012345678901234567890" in ledger.seen[-1][2].body


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_credits",
        "unknown_user",
        "account_frozen",
        "idempotency_conflict",
        "app_mismatch",
        "forbidden",
        "invalid_request",
        "deadline_exceeded",
        "overloaded",
        "internal",
    ],
)
async def test_a_refusal_has_the_contracts_status(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger, code: Any
) -> None:
    ledger.answer = refusal(code, available=2, required=3)
    answer = await http.post(USE, json=BODY, headers=user.headers)
    problem = assert_problem(answer, REST_STATUS[code], code)
    assert problem["details"] == {"available": 2, "required": 3}
    assert ("retry-after" in answer.headers) == (code == "overloaded")


async def test_what_is_not_answered_in_time_is_accepted(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    ledger.answer = silence
    key = "a/b ü?#%"
    started = time.monotonic()
    headers = {**user.headers, "prefer": "respond-async, wait=1"}
    answer = await http.post(USE, json={**BODY, "idempotencyKey": key}, headers=headers)
    assert time.monotonic() - started < 15, (
        "it waited longer than it was asked to, by more than a slow machine explains"
    )
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{BASE}/credits/operations/a%2Fb%20%C3%BC%3F%23%25"
    assert (answer.json()["status"], answer.json()["idempotencyKey"]) == ("pending", key)
    assert_problem(await http.get(answer.headers["location"], headers=user.headers), 404, "not_found")


@pytest.mark.parametrize("key", ["...", "a/..", "../x", "./.", "%2E%2E", "..%2F"])
async def test_a_key_with_dots_is_found_where_the_answer_says(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger, owner: asyncpg.Connection, key: str
) -> None:
    """The address that a client makes of ``Location`` is still the key's."""
    ledger.answer = silence
    headers = {**user.headers, "prefer": "wait=0"}
    pending = await http.post(USE, json={**BODY, "idempotencyKey": key}, headers=headers)
    message_id = await ledger.message_id_of(key)
    await owner.execute(
        "INSERT INTO credits.refusals (account_id, idempotency_key, identity, code, message, details, created_at)"
        " VALUES ($1::text::uuid, $2, $3, 'forbidden', 'no', '{}', now())",
        user.id,
        key,
        message_id,
    )
    found = await http.get(pending.headers["location"], headers=user.headers)
    assert found.json()["status"] == "refused", found.text


async def test_not_waiting_at_all_is_accepted_once_the_broker_has_it(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    ledger.answer = silence
    answer = await http.post(USE, json=BODY, headers={**user.headers, "prefer": "wait=0"})
    assert answer.status_code == 202
    await ledger.until(user.id, "credits.use")


async def test_a_late_reply_is_given_to_nobody(http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger) -> None:
    held: list[bytes] = []

    def later(kind: str, body: dict[str, Any]) -> bytes | None:
        if body["idempotencyKey"] == "late":
            time.sleep(1.5)
            held.append(b"")
        return done(kind, body)

    ledger.answer = later
    late = {**BODY, "idempotencyKey": "late"}
    assert (await http.post(USE, json=late, headers={**user.headers, "prefer": "wait=1"})).status_code == 202
    answer = await http.post(USE, json={**BODY, "idempotencyKey": "next"}, headers=user.headers)
    assert answer.json()["transaction"]["idempotencyKey"] == "next"
    assert held
    metrics = (await http.get("/metrics")).text
    assert "mana_late_replies_total 0.0" not in metrics


async def test_a_hundred_requests_at_once_get_their_own_replies(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    # A session's first request asks the database for it, and so many at once would wait for connections.
    assert (await http.post(USE, json=BODY, headers=user.headers)).status_code == 200
    keys = [f"at-once-{number}" for number in range(100)]
    posts = [http.post(USE, json={**BODY, "idempotencyKey": key}, headers=user.headers) for key in keys]
    assert [answer.json()["transaction"]["idempotencyKey"] for answer in await asyncio.gather(*posts)] == keys


async def test_the_key_may_come_in_the_header(http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger) -> None:
    headers = {**user.headers, "idempotency-key": "from-header"}
    await http.post(USE, json=BODY, headers=headers)
    assert ledger.seen[-1][1]["idempotencyKey"] == "from-header"
    await http.post(USE, json={**BODY, "idempotencyKey": "from-header"}, headers=headers)
    assert ledger.seen[-1][1]["idempotencyKey"] == "from-header"
    await http.post(USE, json=BODY, headers=user.headers)
    assert len(ledger.seen[-1][1]["idempotencyKey"]) == 36


async def test_two_keys_that_differ(http: httpx.AsyncClient, user: SignedIn) -> None:
    headers = {**user.headers, "idempotency-key": "one"}
    answer = await http.post(USE, json={**BODY, "idempotencyKey": "two"}, headers=headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["idempotencyKey"]


@pytest.mark.parametrize(
    "key", ["daily:2026-01-01", "stripe:x", "expiry:x", "mana:open", ".", "..", "", "k" * 201, "a\0b", 5]
)
async def test_keys_that_nobody_may_use(http: httpx.AsyncClient, user: SignedIn, key: Any) -> None:
    answer = await http.post(USE, json={**BODY, "idempotencyKey": key}, headers=user.headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["idempotencyKey"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -1}, "amount"),
        ({"amount": 1_000_000_001}, "amount"),
        ({"amount": "3"}, "amount"),
        ({"amount": 3.5}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 2**63}, "amount"),
        ({"amount": 2**70}, "amount"),
        ({"appId": ""}, "appId"),
        ({"appId": "a b"}, "appId"),
        ({"appId": "a" * 65}, "appId"),
        ({"description": ""}, "description"),
        ({"description": "d" * 501}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {"a": "x" * 8_200}}, "metadata"),
        ({"metadata": {"a": "\0"}}, "metadata"),
        ({"userId": "01900000-0000-7000-8000-000000000001"}, "userId"),
        ({"transactionId": "x"}, "transactionId"),
        ({"more": 1}, "more"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_fields_that_do_not_fit(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger, change: dict[str, Any], field: str
) -> None:
    answer = await http.post(USE, json={**BODY, **change}, headers=user.headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == [field]
    assert "credits.use" not in ledger.of(user.id)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"amount":1}',
        rb'{"amount":1,"appId":"a","description":"\ud800"}',
        rb'{"amount":1,"appId":"a","description":"d","metadata":{"\udc00":1}}',
        b'{"amount":1,"appId":"a","description":"d","metadata":{"a":NaN}}',
        b'{"amount":1,"appId":"a","description":"d","metadata":' + b"[" * 29_000 + b"]" * 29_000 + b"}",
    ],
    ids=lambda raw: repr(raw[:60]),
)
async def test_bodies_that_cannot_be_meant(http: httpx.AsyncClient, user: SignedIn, raw: bytes) -> None:
    assert_problem(await http.post(USE, content=raw, headers=user.headers), 422, "invalid_request")


async def test_the_opening_goes_before_the_first_use(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    ledger.opens = False
    email = (await register(http))["email"]
    user = await login(http, email)
    assert (await http.post(USE, json=BODY, headers=user.headers)).status_code == 200
    commands = ledger.of(user.id)
    assert commands[-1] == "credits.use"
    assert commands.count("account.open") == 2
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid", user.id) == 0


async def test_a_lost_connection_costs_no_answer(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger, servers: Instance
) -> None:
    """What was pending goes out again as the same message, and its reply reaches the request.

    But what refuses its sender says nothing of the first sending, which may have been done.
    """
    ledger.answer = silence
    headers = {**user.headers, "prefer": "wait=30"}
    request, withdrawn = (
        asyncio.create_task(http.post(USE, json={**BODY, "idempotencyKey": key}, headers=headers))
        for key in ("over-a-loss", "withdrawn")
    )
    for key in ("over-a-loss", "withdrawn"):
        await ledger.message_id_of(key)
    forbidden = refusal("forbidden")
    ledger.answer = lambda kind, body: (done if body["idempotencyKey"] == "over-a-loss" else forbidden)(kind, body)
    await _close_connections_of_the_front(servers)
    answer = await request
    assert answer.status_code == 200, answer.text
    assert (await withdrawn).status_code == 202
    sent = [message for _, body, message in ledger.seen if body.get("idempotencyKey") == "over-a-loss"]
    assert len(sent) == 2
    assert len({message.message_id for message in sent}) == 1


async def test_a_full_queue_is_overloaded(
    http: httpx.AsyncClient, user: SignedIn, servers: Instance, ledger: ScriptedLedger
) -> None:
    """The broker's refusal comes back as 503 with ``Retry-After``: a partition whose consumer has its prefetch full."""
    ledger.answer, ledger.holds = silence, True
    policy = {"pattern": r"^credits\.commands\.", "definition": {"max-length": 1}, "priority": 99, "apply-to": "queues"}
    path = "/api/policies/%2F/one-fits"
    headers = {**user.headers, "prefer": "wait=0"}
    async with _management(servers) as api:
        assert (await api.put(path, json=policy)).status_code in {201, 204}
        try:
            await asyncio.sleep(0.5)
            answers = [await http.post(USE, json=BODY, headers=headers) for _ in range(PREFETCH + 10)]
        finally:
            ledger.holds = False
            await api.delete(path)
    assert [answer.status_code for answer in answers[:PREFETCH]] == [202] * PREFETCH
    assert_problem(answers[-1], 503, "overloaded")
    assert int(answers[-1].headers["retry-after"]) >= 1


def _management(servers: Instance) -> httpx.AsyncClient:
    address = httpx.URL(servers.env["MANA_AMQP_URL"])
    return httpx.AsyncClient(
        base_url=servers.env["MANA_RABBITMQ_MANAGEMENT_URL"], auth=(address.username, address.password)
    )


async def _close_connections_of_the_front(servers: Instance) -> None:
    """The management API learns of connections within seconds."""
    async with _management(servers) as api, asyncio.timeout(20):
        while True:
            found = [
                one["name"] for one in (await api.get("/api/connections")).json() if one.get("user") == "mana-front"
            ]
            for name in found:
                await api.delete(f"/api/connections/{name}")
            if found:
                return
            await asyncio.sleep(0.3)
