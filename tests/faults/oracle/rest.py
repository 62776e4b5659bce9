"""Users of the HTTP front, whose attempts stand in the same journal."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from tests.faults.oracle import commands
from tests.faults.oracle.journal import Journal, Outcome
from tests.faults.oracle.outcomes import of_operation, of_response
from tests.faults.tools.balancer import IDLE_CONNECTIONS

_BASE: Final = "/api/v1"
_PASSWORD: Final = "a password for a test of faults"
_WAIT_SECONDS: Final = 2
_LOOK_SECONDS: Final = 0.5
_AT_ONCE: Final = 100
"""Uses under way: the others wait here, since the pool of connections looks through all of them for each one."""
_LOOKS_AT_ONCE: Final = 30
"""What became of others is asked beside them: no use waits for that."""


@dataclass(frozen=True)
class RestUser:
    """A registered user and what proves it."""

    user: str
    token: str


class Rest:
    """Uses credits over REST. The front must not limit rates (``RATE_LIMIT_MAX``): a load is what it would stop."""

    def __init__(self, http: httpx.AsyncClient, journal: Journal) -> None:
        self.users: list[RestUser] = []
        self.found_later = 0
        """Operations of which nothing was known when they were first looked up, and something afterwards."""
        self._http = http
        self._journal = journal
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def sign_up(self, number: int) -> list[str]:
        """Registers so many more users, whose accounts open on the way; their ids. Raises ``AssertionError``."""
        for _ in range(number):
            login = {"email": f"f{secrets.token_hex(8)}@example.com", "password": _PASSWORD}
            registered = await self._post("/auth/register", login)
            token = (await self._post("/auth/login", login))["accessToken"]
            self.users.append(RestUser(registered["id"], token))
        return [each.user for each in self.users[-number:]]

    async def use(
        self,
        user: RestUser,
        key: str,
        amount: int,
        *,
        app: str = "chat",
        wait: int = _WAIT_SECONDS,
        hang_up: float | None = None,
        look_for: float = 5.0,
    ) -> Outcome:
        """Uses credits; where the answer is still to come, it is looked for during ``look_for`` seconds.

        ``wait``: the seconds that the front is asked to wait; ``hang_up``: those after which the client goes away.
        """
        body = commands.body("use", user.user, key, amount, app, None)
        attempt = self._journal.attempt(
            user=user.user, key=key, op="use", amount=amount, message_id="", transport="rest", body=body
        )
        await self._journal.synced()
        outcome = await self._ask(attempt.n, user, key, body, wait, hang_up)
        self._journal.outcome(outcome)
        if outcome.code == "pending" or (hang_up is not None and outcome.cls == "unknown"):
            outcome = await self._look_up(outcome, user, key, amount, look_for)
        await self._journal.synced()
        return outcome

    async def _ask(self, n: int, user: RestUser, key: str, body: str, wait: int, hang_up: float | None) -> Outcome:
        fields: dict[str, Any] = {
            name: value for name, value in json.loads(body).items() if name not in {"userId", "idempotencyKey"}
        }
        headers = {**_proof(user), "idempotency-key": key, "prefer": f"wait={wait}"}
        try:
            async with self._places, asyncio.timeout(hang_up):
                response = await self._http.post(f"{_BASE}/credits/use", json=fields, headers=headers)
        except TimeoutError:
            return Outcome(n, "unknown", "hung_up", at=time.time())
        except httpx.ConnectError:
            return Outcome(n, "not_accepted", "unreachable", at=time.time())
        except httpx.HTTPError as error:
            return Outcome(n, "unknown", type(error).__name__, at=time.time())
        return of_response(n, response.status_code, response.content)

    async def _look_up(self, pending: Outcome, user: RestUser, key: str, amount: int, within: float) -> Outcome:
        """What the operation comes to; ``pending`` again where that is not known, or was another attempt's."""
        until = time.monotonic() + within
        path = f"{_BASE}/credits/operations/{quote(key, safe='')}"
        unknown_at_first = False
        while time.monotonic() < until:
            response = await self._look(path, user)
            if response is not None and response.status_code == 200:
                found = of_operation(pending.n, response.content)
                if found.cls == "acknowledged" and found.amount != -amount:
                    return pending
                self._journal.outcome(found)
                self.found_later += unknown_at_first
                return found
            unknown_at_first |= response is not None and response.status_code == 404
            await asyncio.sleep(_LOOK_SECONDS)
        return pending

    async def _look(self, path: str, user: RestUser) -> httpx.Response | None:
        """``None`` where the front is away: it may be back before the time is up."""
        try:
            async with self._looks:
                return await self._http.get(path, headers=_proof(user))
        except httpx.HTTPError:
            return None

    async def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        response = await self._http.post(f"{_BASE}{path}", json=body)
        assert response.is_success, f"the front answered {path} with {response.status_code}: {response.text[:300]}"
        return response.json()


def _proof(user: RestUser) -> dict[str, str]:
    return {"authorization": f"Bearer {user.token}"}


@asynccontextmanager
async def rest(
    front_url: str, journal: Journal, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncGenerator[Rest]:
    """A client of the front at this address, or of those behind ``transport``."""
    limits = httpx.Limits(max_connections=_AT_ONCE + _LOOKS_AT_ONCE, max_keepalive_connections=IDLE_CONNECTIONS)
    async with httpx.AsyncClient(
        base_url=front_url, transport=transport, trust_env=False, timeout=30, limits=limits
    ) as http:
        yield Rest(http, journal)
