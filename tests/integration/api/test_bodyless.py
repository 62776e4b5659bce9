"""Routes that read no body refuse one with fields: nobody is left to believe that a password was looked at."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.integration.api.process import Process
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields

ME = f"{BASE}/auth/me"
LOGOUT = f"{BASE}/auth/logout"
JSON = {"content-type": "application/json"}


async def test_every_route_without_a_body_refuses_fields(http: httpx.AsyncClient, user: SignedIn) -> None:
    """Those that the document names no body for; nothing of them was done."""
    paths: dict[str, dict[str, Any]] = (await http.get("/openapi.json")).json()["paths"]
    bodyless = [
        (method, path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "get" and "requestBody" not in operation
    ]
    assert {f"{method} {path}" for method, path, _ in bodyless} >= {f"delete {ME}", f"post {LOGOUT}"}
    for method, path, operation in bodyless:
        assert {"413", "422"} <= set(operation["responses"])
        if path.startswith(f"{BASE}/admin/"):
            continue  # another is asked first there: is the user an administrator
        url = path.format(sessionId=uuid4(), keyId="abcdefghijkl")
        answer = await http.request(method, url, json={"password": "x", "a\u001b": 1}, headers=user.headers)
        assert fields(assert_problem(answer, 422, "invalid_request")) == ["password", "a\ufffd"], url
    assert (await http.get(ME, headers=user.headers)).status_code == 200


async def test_an_administrators_route_refuses_fields_too(http: httpx.AsyncClient, admin: SignedIn) -> None:
    url = f"{BASE}/admin/users/{admin.id}/sessions"
    answer = await http.request("DELETE", url, json={"keep": 1}, headers=admin.headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["keep"]
    assert (await http.get(url, headers=admin.headers)).status_code == 200


@pytest.mark.parametrize("headers", [{}, JSON, {"content-type": "text/plain"}], ids=["untyped", "json", "text"])
@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
async def test_an_empty_body_is_fine(
    http: httpx.AsyncClient, user: SignedIn, body: bytes, headers: dict[str, str]
) -> None:
    answer = await http.post(LOGOUT, content=body, headers={**user.headers, **headers})
    assert answer.json() == {"success": True}


@pytest.mark.parametrize("headers", [{}, JSON], ids=["untyped", "json"])
@pytest.mark.parametrize("body", [b"a=1", b"[]", b"null", b"{", b"\xff", b'{"a":' + b"[" * 8_000])
async def test_what_is_no_object_is_refused(
    http: httpx.AsyncClient, user: SignedIn, body: bytes, headers: dict[str, str]
) -> None:
    answer = await http.post(LOGOUT, content=body, headers={**user.headers, **headers})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["body"]


async def test_fields_in_chunks_are_seen_too(http: httpx.AsyncClient, user: SignedIn) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b'{"a":'
        yield b"1}"

    answer = await http.post(LOGOUT, content=chunks(), headers=user.headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["a"]


async def test_who_leaves_in_the_middle_of_a_body_is_no_fault_of_ours(api: Process, http: httpx.AsyncClient) -> None:
    """Else anybody could fill the log."""
    address = urlsplit(api.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"POST {LOGOUT} HTTP/1.1\r\nHost: x\r\nX-Request-Id: gone-early\r\nContent-Length: 9\r\n\r\n"
    writer.write(head.encode() + b'{"a"')
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    counted = f'mana_http_request_seconds_count{{method="POST",route="{LOGOUT}",status='
    async with asyncio.timeout(10):
        while f'{counted}"422"}}' not in (metrics := (await http.get("/metrics")).text):
            assert f'{counted}"500"}}' not in metrics
            await asyncio.sleep(0.05)
    assert "ClientDisconnect" not in api.output
