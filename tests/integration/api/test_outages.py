"""A server that is away costs time, never a lie: 503 with ``Retry-After``, and ``ready`` names it."""

from __future__ import annotations

from pathlib import Path

import httpx

from ops import ports
from ops.instance import Instance
from ops.urls import with_login
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import front
from tests.integration.api.users import BASE, PASSWORD, assert_problem, login, new_email, register

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
