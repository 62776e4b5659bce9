"""Front and relay, killed at their points: the account is opened all the same, once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from ops import ports
from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.integration.api.users import BASE, PASSWORD, new_email
from tests.integration.workers.events import Subscriber, subscribed
from tests.integration.workers.running import PARTITIONS, Running, running, until

_OPENED = (
    "SELECT count(*) FROM auth.users AS u JOIN credits.balances AS b ON b.account_id = u.id"
    " JOIN credits.transactions AS t ON t.account_id = u.id WHERE u.email = $1"
)
_UNTOLD = "SELECT count(*) FROM auth.outbox_events"


@asynccontextmanager
async def _front(servers: Instance, logs: Path, crash_at: str) -> AsyncGenerator[tuple[Running, str]]:
    port = ports.choose(None, set())
    own = {**ProcessSettings(servers.addresses, PARTITIONS).api(), "MANA_ENVIRONMENT": "development"}
    settings = {**own, "PORT": str(port), "MANA_CRASH_AT": crash_at}
    async with running(servers, logs, "tests.faults.front", settings) as front:
        url = f"http://127.0.0.1:{port}"
        await until(lambda: _answers(url), "the front answers", front.log)
        yield front, url


@asynccontextmanager
async def _relay(servers: Instance, logs: Path, crash_at: str | None = None) -> AsyncGenerator[Running]:
    settings = {**ProcessSettings(servers.addresses, PARTITIONS).relay(), "MANA_TEST_PROCESS": "relay"}
    crash = {} if crash_at is None else {"MANA_CRASH_AT": crash_at}
    async with running(servers, logs, "tests.faults.front", {**settings, **crash}) as relay:
        yield relay


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"{url}/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


async def _register(url: str) -> str:
    """Tries to; whoever should have answered is dead by then."""
    email = new_email()
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        with pytest.raises(httpx.TransportError):
            await http.post(f"{url}{BASE}/auth/register", json={"email": email, "password": PASSWORD})
    return email


async def _died(process: Running) -> None:
    assert await asyncio.wait_for(process.child.wait(), 60) == -signal.SIGKILL, process.log.read_text()


@pytest.mark.checklist(66)
@pytest.mark.parametrize("point", ["signup_after_commit", pytest.param("outbox_after_send", marks=pytest.mark.slow)])
async def test_what_a_killed_front_had_committed_the_relay_delivers(
    point: str, servers: Instance, logs: Path, owner: asyncpg.Connection
) -> None:
    async with running(servers, logs, "tests.faults.worker"), _relay(servers, logs):
        async with _front(servers, logs, f"{point}:1") as (front, url):
            email = await _register(url)
            await _died(front)
        await _opened_once(email, owner)


@pytest.mark.checklist(65, 66)
@pytest.mark.parametrize("point", [pytest.param("outbox_before_send", marks=pytest.mark.slow), "outbox_after_send"])
async def test_what_a_killed_relay_had_begun_the_next_one_ends(
    point: str, servers: Instance, logs: Path, owner: asyncpg.Connection
) -> None:
    async with running(servers, logs, "tests.faults.worker"):
        async with _front(servers, logs, "signup_after_commit:1") as (front, url):
            email = await _register(url)
            await _died(front)
        async with _relay(servers, logs, f"{point}:1") as doomed:
            await _died(doomed)
        async with _relay(servers, logs):
            await _opened_once(email, owner)


@pytest.mark.parametrize("point", [pytest.param("events_before_send", marks=pytest.mark.slow), "events_after_send"])
async def test_an_event_that_a_killed_relay_had_begun_the_next_one_tells(
    point: str, servers: Instance, logs: Path, owner: asyncpg.Connection
) -> None:
    """Told by both it is one event, the same to the byte."""
    user_id = str(uuid4())
    async with subscribed(servers.addresses.amqp, "user.#") as subscriber:
        await owner.execute(
            "INSERT INTO auth.users (id, email, email_key) VALUES ($1::text::uuid, $2, $2)", user_id, new_email()
        )
        async with _relay(servers, logs, f"{point}:1") as doomed:
            await _died(doomed)
        assert await owner.fetchval(_UNTOLD) == 1
        async with _relay(servers, logs):
            await until(lambda: _is_told(owner), "the outbox of events is empty")
            times = 2 if point == "events_after_send" else 1

            async def is_heard() -> bool:
                return len(_heard(subscriber, user_id)) >= times

            await until(is_heard, f"the event has come, {times} times")
    first, *others = _heard(subscriber, user_id)
    assert (first["type"], first["subject"]) == ("user.registered", user_id)
    assert others == [first] * (times - 1)


def _heard(subscriber: Subscriber, user_id: str) -> list[dict[str, Any]]:
    """With repeats."""
    return [event for event in subscriber.events if event["subject"] == user_id]


async def _is_told(owner: asyncpg.Connection) -> bool:
    return await owner.fetchval(_UNTOLD) == 0


async def _opened_once(email: str, owner: asyncpg.Connection) -> None:
    async def emptied() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM auth.outbox")

    await until(emptied, "the outbox is empty")
    await until(lambda: _is_told(owner), "the outbox of events is empty")  # as the next test has to find it

    async def opened() -> bool:
        return await owner.fetchval(_OPENED, email) == 1

    await until(opened, f"{email} has an account and its bonus")
