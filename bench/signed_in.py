"""Users of the HTTP front: registered, signed in, and with credits enough for a benchmark."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bench.accounts import grant
from bench.caller import Caller
from bench.errors import BenchError

_AT_ONCE: Final = 8
"""Fewer than the front lets wait for its hasher, and than make anybody wait long for it."""


@dataclass(frozen=True)
class SignedIn:
    """A user's id and tokens, and what they sign in with."""

    user: str
    token: str
    refresh_token: str
    credentials: Mapping[str, str]


async def sign_in(api_url: str, amqp_url: str, count: int, run: str, credits_each: int) -> list[SignedIn]:
    """Makes the users. Raises ``BenchError`` where the front refuses one."""
    few = httpx.Limits(max_connections=_AT_ONCE)
    patient = httpx.Timeout(60, pool=None)
    async with httpx.AsyncClient(base_url=f"{api_url}/api/v1", trust_env=False, limits=few, timeout=patient) as http:
        users = await asyncio.gather(*(_one(http, f"{run}-{number}@bench.example") for number in range(count)))
    async with Caller(amqp_url, in_flight=64) as caller:
        await grant(caller, [each.user for each in users], run, credits_each)
    return users


async def _one(http: httpx.AsyncClient, email: str) -> SignedIn:
    login = {"email": email, "password": f"a password of {email}"}
    registered = await _post(http, "/auth/register", login)
    tokens = await _post(http, "/auth/login", login)
    return SignedIn(registered["id"], tokens["accessToken"], tokens["refreshToken"], login)


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, str]) -> dict[str, Any]:
    response = await http.post(path, json=body)
    if not response.is_success:
        raise BenchError(f"The front answered {path} with {response.status_code}: {response.text[:300]}")
    return response.json()
