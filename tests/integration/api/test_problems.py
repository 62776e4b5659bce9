"""Whatever is wrong with a request, the answer is a problem document; nothing a client sends is a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.integration.api.process import Process
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, new_email

REGISTER = f"{BASE}/auth/register"
JSON = {"content-type": "application/json"}
DEEP = b'{"email":' + b"[" * 8_000 + b"]" * 8_000 + b"}"


async def test_unknown_paths_are_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/api/v1/nothing", f"{BASE}//auth/login", f"{BASE}/auth/login/", "/docs/x", "/%00"):
        assert_problem(await http.get(path), 404, "not_found")


async def test_a_wrong_method_names_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.put(REGISTER)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"
    assert answer.json()["detail"] == "this path knows other methods only: the header Allow names them"
    own = await http.put(f"{BASE}/auth/me")
    assert_problem(own, 405, "method_not_allowed")
    assert set(own.headers["allow"].split(", ")) == {"GET", "PATCH", "DELETE"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b'{"email": NaN}', DEEP, b"[]", b"3", b'"text"', b"null", b"9" * 5_000],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("path", ["/auth/register", "/auth/login", "/auth/refresh", "/auth/validate"])
async def test_a_body_that_cannot_be_read(http: httpx.AsyncClient, path: str, body: bytes) -> None:
    assert_problem(await http.post(f"{BASE}{path}", content=body, headers=JSON), 422, "invalid_request")


@pytest.mark.parametrize("headers", [{}, {"content-type": "text/plain"}], ids=["none", "another"])
async def test_json_that_is_not_said_to_be_json(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await http.post(f"{BASE}/auth/validate", content=b'{"token":"x"}', headers=headers)
    (error,) = assert_problem(answer, 422, "invalid_request")["details"]["errors"]
    assert "Content-Type: application/json" in error["message"]


async def test_every_wrong_field_is_named(http: httpx.AsyncClient) -> None:
    problem = assert_problem(await http.post(REGISTER, json={"email": 3, "extra": 1}), 422, "invalid_request")
    assert sorted(fields(problem)) == ["email", "extra", "password"]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x\udfff"], ids=["NUL", "high surrogate", "low surrogate"])
@pytest.mark.parametrize("field", ["email", "password", "name"])
async def test_text_that_cannot_be_kept(http: httpx.AsyncClient, field: str, text: str) -> None:
    """[35]: a NUL cuts nothing off."""
    values = {"email": new_email(), "password": PASSWORD, "name": "N", field: text + "0123456789ab"}
    escaped = ",".join(f'"{name}":"{_escaped(value)}"' for name, value in values.items())
    answer = await http.post(REGISTER, content=f"{{{escaped}}}".encode(), headers=JSON)
    assert fields(assert_problem(answer, 422, "invalid_request")) == [field]


async def test_a_token_that_is_no_text(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{BASE}/auth/validate", content=rb'{"token":"\ud800"}', headers=JSON)
    assert answer.json() == {"valid": False, "payload": None}
    answer = await http.post(f"{BASE}/auth/refresh", content=rb'{"refreshToken":"\ud800"}', headers=JSON)
    assert_problem(answer, 401, "unauthorized")


async def test_a_hostile_field_name_is_told_harmlessly(http: httpx.AsyncClient) -> None:
    """Shown as text, never as markup, and without control characters."""
    hostile = rb'{"token":"x","\u0000\u001b<script>":1}'
    answer = await http.post(f"{BASE}/auth/validate", content=hostile, headers=JSON)
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["\ufffd\ufffd<script>"]
    assert not any(ord(character) < 32 for character in answer.text)
    unwritable = await http.post(f"{BASE}/auth/validate", content=rb'{"token":"x","\ud800":1}', headers=JSON)
    assert fields(assert_problem(unwritable, 422, "invalid_request")) == ["body"]


async def test_a_large_body_is_refused_before_anything_is_done(http: httpx.AsyncClient) -> None:
    """[34]: of sign-in and administration from 16 KiB on, of all else from 64 KiB on; no hash is made for it."""
    hashes = await _hashes(http)
    for size in (16 * 1_024, 5_000_000):
        body = {"email": new_email(), "password": "x" * size}
        assert_problem(await http.post(REGISTER, json=body), 413, "payload_too_large")
        assert_problem(await http.post(f"{BASE}/auth/login", json=body), 413, "payload_too_large")
    assert await _hashes(http) == hashes
    larger = await http.post(f"{BASE}/credits/use", content=b"x" * 60_000, headers=JSON)
    assert_problem(larger, 401, "unauthorized")


async def _hashes(http: httpx.AsyncClient) -> str:
    lines = (await http.get("/metrics")).text.splitlines()
    (line,) = [line for line in lines if line.startswith("mana_password_hashes ")]
    return line


async def test_a_large_body_in_chunks_is_refused_too(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b'{"token":"'
        for _ in range(500):
            yield b"x" * 10_000

    answer = await http.post(f"{BASE}/auth/validate", content=chunks(), headers=JSON)
    assert_problem(answer, 413, "payload_too_large")


async def test_a_large_use_is_refused(http: httpx.AsyncClient, user: SignedIn) -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(20):
            yield b"x" * 10_000

    answer = await http.post(f"{BASE}/credits/use", content=chunks(), headers=user.headers)
    assert_problem(answer, 413, "payload_too_large")


@pytest.mark.parametrize(
    ("authorization", "told"),
    [
        (None, "Bearer"),
        ("", "Bearer"),
        ("Bearer", "Bearer"),
        ("Basic YTpi", "Bearer"),
        ("Bearer x", 'Bearer error="invalid_token"'),
        ("Bearer " + "x" * 30_000, 'Bearer error="invalid_token"'),
        (b"Bearer \xff\xfe", 'Bearer error="invalid_token"'),
        ("Bearer e30.e30.e30", 'Bearer error="invalid_token"'),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_a_malformed_authorization_is_unauthorized(
    http: httpx.AsyncClient, authorization: str | bytes | None, told: str
) -> None:
    """A token that is not good is told so (RFC 6750, 3.1)."""
    headers: dict[str, Any] = {} if authorization is None else {"authorization": authorization}
    answer = await http.get(f"{BASE}/credits/balance", headers=headers)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == told


async def test_the_token_of_a_session_that_ended_is_told_to_be_no_good(http: httpx.AsyncClient, user: SignedIn) -> None:
    assert (await http.post(f"{BASE}/auth/logout", headers=user.headers)).status_code == 200
    answer = await http.get(f"{BASE}/auth/me", headers=user.headers)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_two_authorizations_are_unauthorized(http: httpx.AsyncClient, user: SignedIn) -> None:
    both = [("authorization", user.headers["authorization"])] * 2
    assert_problem(await http.get(f"{BASE}/credits/lots", headers=both), 401, "unauthorized")


async def test_who_asks_comes_before_what_is_asked(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get(f"{BASE}/credits/transactions?limit=0"), 401, "unauthorized")
    assert_problem(await http.post(f"{BASE}/credits/use", content=b"{"), 401, "unauthorized")


async def test_the_requests_id_comes_back(http: httpx.AsyncClient) -> None:
    given = await http.get("/health/live", headers={"x-request-id": "trace-1"})
    assert given.headers["x-request-id"] == "trace-1"
    hostile = await http.get("/nothing", headers={"x-request-id": "a b<script>"})
    assert hostile.headers["x-request-id"] not in {"", "a b<script>"}


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"POST /api/v1/auth/validate HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"BREW /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_broken_http_harms_nobody(api: Process, http: httpx.AsyncClient, raw: bytes) -> None:
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(raw)
    async with asyncio.timeout(10):
        status = await reader.readline()
    assert status.split()[1].startswith(b"4")
    writer.close()
    assert (await http.get("/health/live")).status_code == 200
    assert api.child.returncode is None


def _escaped(text: str) -> str:
    return "".join(character if 32 <= ord(character) < 127 else f"\\u{ord(character):04x}" for character in text)


async def test_what_nobody_expected_is_told_to_nobody(
    api: Process, http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[67]: the answer says nothing of the fault, the log finds it by the request's id."""
    await owner.execute("ALTER TABLE credits.packages RENAME TO packages_gone")
    try:
        headers = {**user.headers, "x-request-id": "find-me"}
        answer = await http.get(f"{BASE}/credits/packages", headers=headers)
    finally:
        await owner.execute("ALTER TABLE credits.packages_gone RENAME TO packages")
    problem = assert_problem(answer, 500, "internal")
    assert "packages" not in problem["detail"]
    assert answer.headers["x-request-id"] == "find-me"
    async with asyncio.timeout(10):
        while not (lines := [line for line in api.output.splitlines() if "find-me" in line]):
            await asyncio.sleep(0.05)  # it is logged after the answer was sent
    assert "UndefinedTableError" in lines[0]


@pytest.mark.checklist(44, 67)
@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("name <> 'canary name'", "SQLSTATE 23514, constraint no_canary"),
        ("name !~ 'canary' OR name::integer > 0", "a value that cannot be taken (SQLSTATE 22P02)"),
    ],
    ids=["check", "value"],
)
async def test_what_the_database_quotes_reaches_nobody(
    api: Process, http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, check: str, told: str
) -> None:
    """What fails is told by its names; what the database says of values is in no answer and in no log."""
    await owner.execute(f"ALTER TABLE auth.users ADD CONSTRAINT no_canary CHECK ({check}) NOT VALID")
    try:
        headers = {**user.headers, "x-request-id": f"find-{told[-6:-1]}"}
        answer = await http.patch(f"{BASE}/auth/me", json={"name": "canary name"}, headers=headers)
    finally:
        await owner.execute("ALTER TABLE auth.users DROP CONSTRAINT no_canary")
    assert "canary" not in assert_problem(answer, 500, "internal")["detail"]
    async with asyncio.timeout(10):
        while not (lines := [line for line in api.output.splitlines() if f"find-{told[-6:-1]}" in line]):
            await asyncio.sleep(0.05)  # it is logged after the answer was sent
    assert told in lines[0]
    assert "canary name" not in api.output
    assert user.email not in api.output


@pytest.mark.checklist(28)
@pytest.mark.parametrize("path", ["register", "login", "password/forgot", "email/verify/resend"])
async def test_an_address_that_is_too_long_in_its_normal_form(http: httpx.AsyncClient, path: str) -> None:
    """Each of these characters becomes eighteen of the form by which addresses are looked up."""
    body = {"email": "\ufdfa" * 40 + "@example.com", **({"password": PASSWORD} if "/" not in path else {})}
    assert fields(assert_problem(await http.post(f"{BASE}/auth/{path}", json=body), 422, "invalid_request")) == [
        "email"
    ]


async def test_a_refused_requests_id_finds_why(api: Process, http: httpx.AsyncClient, user: SignedIn) -> None:
    """By the route's template, without what was asked; not where anybody could fill the disk with it."""

    def lines(request_id: str) -> list[dict[str, Any]]:
        found = [line for line in api.output.splitlines() if f'"{request_id}"' in line]
        return [json.loads(line) for line in found]

    transaction = f"{BASE}/credits/transactions"
    for path, headers in {
        f"{transaction}/none-of-yours?secret=canary": {**user.headers, "x-request-id": "refused-1"},
        f"{BASE}/auth/me?secret=canary": {"authorization": "Bearer canary", "x-request-id": "refused-2"},
        f"{transaction}/0190f2a0-7c1b-7000-8000-000000000001": {**user.headers, "x-request-id": "untold-404"},
        "/nothing": {"x-request-id": "untold-404"},
        f"{BASE}/auth/login": {"x-request-id": "untold-405"},
        f"{transaction}": {**user.headers, "x-request-id": "served"},
    }.items():
        await http.get(path, headers=headers)
    body = b"x" * 70_000
    await http.post("/nothing", content=body, headers={"x-request-id": "untold-413"})  # outside of every limit
    await http.post(f"{BASE}/auth/login", content=body, headers={"x-request-id": "refused-3"})
    async with asyncio.timeout(10):
        while not lines("refused-3"):
            await asyncio.sleep(0.05)  # it is logged after the answer was sent
    told = {"event": "a request was refused", "method": "GET", "level": "info", "logger": "api.edge", "process": "api"}
    ((first,), (second,), (third,)) = (lines(f"refused-{number}") for number in (1, 2, 3))
    assert (told | {"route": transaction + "/{transactionId}", "status": 422, "code": "invalid_request"}).items() <= (
        first.items()
    )
    assert (told | {"route": f"{BASE}/auth/me", "status": 401, "code": "unauthorized"}).items() <= second.items()
    assert (third["status"], third["code"], third["route"]) == (413, "payload_too_large", "none")
    assert set(first) == {*told, "route", "status", "code", "request_id", "timestamp", "caller_id"}
    assert first["caller_id"] == user.id
    assert not any(lines(each) for each in ("untold-404", "untold-405", "untold-413", "served"))
    assert "canary" not in json.dumps([first, second])


async def test_no_secret_reaches_the_log(api: Process, http: httpx.AsyncClient, user: SignedIn) -> None:
    """[SECURITY.md 44], as far as this log goes."""
    await http.post(f"{BASE}/auth/login", json={"email": user.email, "password": "canary-password-1"})
    await http.post(f"{BASE}/auth/refresh", json={"refreshToken": user.refresh_token})
    for secret in (PASSWORD, "canary-password-1", user.refresh_token, user.access_token, user.email):
        assert secret not in api.output
