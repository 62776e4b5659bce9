"""A server that is away costs time, never a lie: 503 with ``Retry-After``, and ``ready`` names it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx

from contracts.topology import FRONT_LOGIN
from ops import ports
from ops.instance import Instance
from ops.urls import with_login
from tests.faults.tools.proxy import Proxy
from tests.integration.api.ledger import ScriptedLedger, silence
from tests.integration.api.process import Process, another_front, front, until_ready
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, login, new_email, register, sign_up

BODY = {"amount": 1, "appId": "chat", "description": "d"}


def _nowhere(scheme: str, path: str) -> str:
    return with_login(f"{scheme}://127.0.0.1:{ports.choose(None, ())}/{path}", "mana-front", "x")


async def test_without_the_broker(servers: Instance, ledger: ScriptedLedger, logs: Path) -> None:
    """Users register and sign in, reads are answered; a use is not accepted."""
    async with (
        front(servers, logs, AMQP_URL=_nowhere("amqp", "")) as process,
        httpx.AsyncClient(base_url=process.url, timeout=20) as http,
    ):
        problem = assert_problem(await http.get("/health/ready"), 503, "overloaded")
        assert problem["details"]["failing"] == ["rabbitmq"]
        assert (await http.get("/health/live")).status_code == 200
        user = await login(http, (await register(http))["email"])
        assert (await http.get(f"{BASE}/credits/transactions", headers=user.headers)).json() == []
        answer = await http.post(f"{BASE}/credits/use", json=BODY, headers=user.headers)
        assert_problem(answer, 503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1


async def test_without_the_database(servers: Instance, ledger: ScriptedLedger, logs: Path) -> None:
    async with (
        front(servers, logs, DATABASE_URL=_nowhere("postgresql", "mana")) as process,
        httpx.AsyncClient(base_url=process.url, timeout=20) as http,
    ):
        problem = assert_problem(await http.get("/health/ready"), 503, "overloaded")
        assert "postgresql" in problem["details"]["failing"]
        body = {"email": new_email(), "password": PASSWORD}
        for path in ("register", "login"):
            answer = await http.post(f"{BASE}/auth/{path}", json=body)
            assert_problem(answer, 503, "overloaded")
            assert "127.0.0.1" not in answer.text
        assert_problem(await http.get("/.well-known/jwks.json"), 503, "overloaded")


async def test_while_the_broker_is_silent(servers: Instance, ledger: ScriptedLedger, logs: Path) -> None:
    """What was sent into the silence is accepted, never refused; what comes after is not even sent."""
    address = servers.addresses.amqp_as(FRONT_LOGIN)
    async with (
        Proxy.before(address) as proxy,
        front(servers, logs, AMQP_URL=proxy.url(address)) as process,
        httpx.AsyncClient(base_url=process.url, timeout=20) as http,
    ):
        await until_ready(process)
        user = await sign_up(http)
        assert (await http.post(f"{BASE}/credits/use", json=BODY, headers=user.headers)).status_code == 200
        headers = {**user.headers, "prefer": "wait=1"}
        proxy.freeze()
        assert (await http.post(f"{BASE}/credits/use", json=BODY, headers=headers)).status_code == 202
        async with asyncio.timeout(20):
            # One in a second is sent to see whether the broker is back, and accepted like the first one.
            while (next_one := await http.post(f"{BASE}/credits/use", json=BODY, headers=headers)).status_code == 202:
                pass
        assert_problem(next_one, 503, "overloaded")
        assert_problem(await http.get("/health/ready"), 503, "overloaded")
        assert (await http.get(f"{BASE}/credits/transactions", headers=headers)).status_code == 200
        proxy.thaw()
        async with asyncio.timeout(30):
            while (await http.post(f"{BASE}/credits/use", json=BODY, headers=headers)).status_code != 200:
                await asyncio.sleep(0.2)
        assert (await http.get("/health/ready")).status_code == 200


@asynccontextmanager
async def _behind_a_database(servers: Instance, logs: Path) -> AsyncGenerator[tuple[Proxy, Process, httpx.AsyncClient]]:
    """A front that is ready, what stands before its database, and a client that waits for no answer over 15 s."""
    address = servers.addresses.database_as("mana_api")
    async with (
        Proxy.before(address) as proxy,
        front(servers, logs, DATABASE_URL=proxy.url(address)) as process,
        httpx.AsyncClient(base_url=process.url, timeout=15) as http,
    ):
        await until_ready(process)
        yield proxy, process, http


async def test_ready_answers_soon_while_the_database_hangs(servers: Instance, logs: Path) -> None:
    """A server that keeps its connections and says nothing is found out in bounded time, however many ask."""
    async with _behind_a_database(servers, logs) as (proxy, process, http):
        proxy.freeze()
        for answer in await asyncio.gather(*(http.get("/health/ready") for _ in range(20))):
            assert assert_problem(answer, 503, "overloaded")["details"]["failing"] == ["postgresql"]
        proxy.thaw()
        await until_ready(process)


async def test_requests_are_answered_soon_while_the_database_hangs(
    servers: Instance, ledger: ScriptedLedger, logs: Path
) -> None:
    """Whether a session lives nobody can tell then; whoever asked to wait for a second is not left for many."""
    async with _behind_a_database(servers, logs) as (proxy, _, http):
        user = await sign_up(http)
        proxy.freeze()
        headers = {**user.headers, "prefer": "wait=1"}

        async def use() -> httpx.Response:
            return await http.post(f"{BASE}/credits/use", json=BODY, headers=headers)

        async with asyncio.timeout(30):
            while (await use()).status_code == 200:
                pass
        for answer in await asyncio.gather(*(use() for _ in range(20))):
            assert_problem(answer, 503, "overloaded")
        proxy.thaw()
        async with asyncio.timeout(30):
            while (await use()).status_code != 200:
                await asyncio.sleep(0.2)


async def test_a_stop_answers_whoever_waits(servers: Instance, ledger: ScriptedLedger, logs: Path) -> None:
    """SIGTERM ends no request without an answer: a use that waits gets its place to look, long before its 30 s."""
    ledger.answer = silence
    async with front(servers, logs) as process, httpx.AsyncClient(base_url=process.url, timeout=20) as http:
        await until_ready(process)
        user = await sign_up(http)
        use = http.post(f"{BASE}/credits/use", json=BODY, headers={**user.headers, "prefer": "wait=30"})
        waiting = asyncio.create_task(use)
        await ledger.until(user.id, "credits.use")
        process.child.terminate()
        async with asyncio.timeout(8):
            answer = await waiting
            await process.child.wait()
    assert answer.status_code == 202
    assert answer.headers["location"]


async def test_a_front_that_lingers_serves_on_and_says_that_it_stops(servers: Instance, logs: Path) -> None:
    """Told twice, it ends at once."""
    async with another_front(servers, logs, STOP_LINGER_SECONDS="30") as (process, http):
        process.child.terminate()
        async with asyncio.timeout(20):
            while (answer := await http.get("/health/ready")).status_code == 200:
                await asyncio.sleep(0.02)
        assert assert_problem(answer, 503, "overloaded")["details"]["failing"] == ["process"]
        assert (await http.get("/health/live")).status_code == 200
        async with httpx.AsyncClient(base_url=process.url, timeout=40) as newcomer:
            assert (await newcomer.get("/.well-known/jwks.json")).status_code == 200
        process.child.terminate()
        async with asyncio.timeout(20):
            await process.child.wait()


async def test_pages_of_other_origins(servers: Instance, user: SignedIn, owner: asyncpg.Connection, logs: Path) -> None:
    """[59]: only origins that are named may call from a browser, with a token or with their user's cookies."""
    origins = "https://app.example, https://other.example:8443"
    async with another_front(servers, logs, CORS_ORIGINS=origins) as (_, http):
        asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        named = await http.options(f"{BASE}/credits/use", headers={"origin": "https://app.example", **asks})
        assert named.headers["access-control-allow-origin"] == "https://app.example"
        assert named.headers["access-control-allow-credentials"] == "true"
        stranger = await http.options(f"{BASE}/credits/use", headers={"origin": "https://evil.example", **asks})
        assert "access-control-allow-origin" not in stranger.headers
        problem = await http.get("/nothing", headers={"origin": "https://app.example"})
        assert "X-Request-Id" in problem.headers["access-control-expose-headers"]
        assert "RateLimit" in problem.headers["access-control-expose-headers"]
        large = await http.post(f"{BASE}/auth/login", content=b"x" * 70_000, headers={"origin": "https://app.example"})
        assert_problem(large, 413, "payload_too_large")
        assert large.headers["access-control-allow-origin"] == "https://app.example"
        await owner.execute("ALTER TABLE credits.packages RENAME TO packages_gone")
        try:
            headers = {**user.headers, "origin": "https://app.example"}
            failed = await http.get(f"{BASE}/credits/packages", headers=headers)
        finally:
            await owner.execute("ALTER TABLE credits.packages_gone RENAME TO packages")
        assert_problem(failed, 500, "internal")
        assert failed.headers["access-control-allow-origin"] == "https://app.example"
