"""Users by REST: they spend, again with the same key until it is answered; now and then a new one signs up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import httpx

from bench.errors import BenchError
from bench.signed_in import SignedIn

APP: Final = "bench"
_SPEND_EVERY_SECONDS: Final = 0.2
_SIGN_UP_EVERY_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 120.0
_DONE: Final = frozenset({200, 201})
_AGAIN: Final = frozenset({202, 429, 502, 503, 504})
"""Answers that say: not yet, or not now."""


@dataclass
class RestLoad:
    """``spent`` counts the uses of one credit that were answered as done, ``seconds`` how long each took, with all its
    tries; ``signed_up`` are the new users. ``otherwise`` counts the answers, and losses, between the tries."""

    api_url: str
    users: list[SignedIn]
    run: str
    spent: int = 0
    seconds: list[float] = field(default_factory=list[float])
    signed_up: list[str] = field(default_factory=list[str])
    otherwise: Counter[str] = field(default_factory=Counter[str])

    async def follow(self, ended: asyncio.Event) -> None:
        """Until ``ended`` is set and each request has its answer. Raises ``BenchError`` for one that nobody expects."""
        async with (
            httpx.AsyncClient(base_url=f"{self.api_url}/api/v1", trust_env=False, timeout=15) as http,
            asyncio.TaskGroup() as group,
        ):
            for number in count():
                user = self.users[number % len(self.users)]
                group.create_task(self._spend(http, user, f"{self.run}:rest:{number}"))
                if number % round(_SIGN_UP_EVERY_SECONDS / _SPEND_EVERY_SECONDS) == 0:
                    group.create_task(self._sign_up(http, f"{self.run}-{number}@late.example"))
                with suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _SPEND_EVERY_SECONDS)
                    return

    async def _spend(self, http: httpx.AsyncClient, user: SignedIn, key: str) -> None:
        began = time.monotonic()
        body = {"amount": 1, "appId": APP, "description": "asked by REST", "idempotencyKey": key}
        await self._until_done(http, "/credits/use", body, {"Authorization": f"Bearer {user.token}"})
        self.spent += 1
        self.seconds.append(time.monotonic() - began)

    async def _sign_up(self, http: httpx.AsyncClient, email: str) -> None:
        """One whose answer was lost is found by signing in: that the address is taken is its own doing."""
        credentials = {"email": email, "password": f"a password of {email}"}
        registered = await self._until_done(http, "/auth/register", credentials, {}, taken=409)
        if registered is None:
            tokens = await self._until_done(http, "/auth/login", credentials, {})
            registered = None if tokens is None else tokens["user"]
        if registered is None:
            raise BenchError(f"{email} neither signed up nor in.")
        self.signed_up.append(registered["id"])

    async def _until_done(
        self,
        http: httpx.AsyncClient,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        taken: int | None = None,
    ) -> dict[str, Any] | None:
        """The answer; ``None`` for the status ``taken``."""
        ends = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < ends:
            try:
                answer = await http.post(path, json=body, headers=headers)
            except httpx.TransportError as error:
                self.otherwise[type(error).__name__] += 1
            else:
                if answer.status_code in _DONE:
                    return answer.json()
                if answer.status_code == taken:
                    return None
                if answer.status_code not in _AGAIN:
                    raise BenchError(f"{path} was answered {answer.status_code}: {answer.text[:300]}")
                self.otherwise[str(answer.status_code)] += 1
            await asyncio.sleep(_AGAIN_SECONDS)
        raise BenchError(f"{path} was not answered as done within {_PATIENCE_SECONDS:.0f} s.")
