"""A front with the limits of production, and its clients as they come from addresses of the test's choosing."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from ops.instance import UNHINDERED, Instance
from tests.integration.api.process import Process, front, until_ready
from tests.integration.api.users import BASE

LOGIN, REGISTER, FREE = f"{BASE}/auth/login", f"{BASE}/auth/register", f"{BASE}/auth/jwks"
"""The last one costs nothing but its place in the general class."""
USUAL = dict.fromkeys(UNHINDERED, "")
PROXY = "127.0.0.1"
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Else every client would read all certificates of the system."""


@asynccontextmanager
async def limited_front(instance: Instance, folder: Path, **settings: str) -> AsyncGenerator[Process]:
    """With the defaults of all limits, behind a proxy that stands where tests come from."""
    async with front(instance, folder, **{**USUAL, "TRUSTED_PROXIES": PROXY, **settings}) as process:
        await until_ready(process)
        yield process


@asynccontextmanager
async def coming_from(process: Process, forwarded: str, peer: str = PROXY) -> AsyncGenerator[httpx.AsyncClient]:
    """A client whose proxy says that it comes from there, or who says so himself where ``peer`` is another."""
    limits = httpx.Limits(max_connections=20)
    transport = httpx.AsyncHTTPTransport(local_address=peer, limits=limits, verify=_NO_TLS)
    headers = {"x-forwarded-for": forwarded}
    async with httpx.AsyncClient(base_url=process.url, transport=transport, headers=headers, timeout=40) as http:
        yield http


async def measured(process: Process, name: str) -> int:
    """What its metrics say."""
    async with httpx.AsyncClient(base_url=process.url, verify=_NO_TLS, timeout=40) as http:
        text = (await http.get("/metrics")).text
    found = re.search(rf"^{name} (\d+)", text, re.MULTILINE)
    assert found is not None, text
    return int(found[1])


async def hashes(process: Process) -> int:
    """How many hashes of passwords it has begun."""
    return await measured(process, "mana_password_hashes")


async def waits(process: Process) -> int:
    """How often somebody has waited for Redis in vain."""
    return await measured(process, "mana_limits_redis_failures_total")


async def guess(http: httpx.AsyncClient, email: str, **more: str) -> httpx.Response:
    """One wrong password."""
    return await http.post(LOGIN, json={"email": email, "password": "wrong wrong wrong", **more})


def left(answer: httpx.Response) -> tuple[str, int]:
    """The class of ``RateLimit``, and how many are left in it."""
    found = re.fullmatch(r'"(\w+)";r=(\d+);t=\d+', answer.headers["ratelimit"])
    assert found is not None
    return found[1], int(found[2])
