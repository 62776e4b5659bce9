"""Passwords over HTTP: changed, forgotten, reset; common ones refused; imported hashes taken once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from typing import Any

import argon2
import asyncpg
import bcrypt
import httpx
import pytest

from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import Process
from tests.integration.api.users import (
    BASE,
    PASSWORD,
    SignedIn,
    assert_problem,
    fields,
    login,
    new_email,
    register,
    sign_up,
)
from tests.integration.auth.links import newest_link

LOGIN, CHANGE = f"{BASE}/auth/login", f"{BASE}/auth/password/change"
FORGOT, RESET = f"{BASE}/auth/password/forgot", f"{BASE}/auth/password/reset"
NEW = "canary 7d1 of a new password"
LONG = "a long password that another system has cut off where bcrypt ends: é and more"
DONE = {"success": True}


async def _login(http: httpx.AsyncClient, email: str, password: str) -> int:
    return (await http.post(LOGIN, json={"email": email, "password": password})).status_code


async def _stored(owner: asyncpg.Connection, user: SignedIn) -> str:
    return str(await owner.fetchval("SELECT hash FROM auth.passwords WHERE user_id = $1::text::uuid", user.id))


@pytest.mark.checklist(42)
async def test_a_user_changes_the_password(http: httpx.AsyncClient, user: SignedIn) -> None:
    other = await login(http, user.email)
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    answer = await http.post(CHANGE, json=body, headers=user.headers)
    assert (answer.status_code, answer.json(), answer.headers["cache-control"]) == (200, DONE, "no-store")
    path = f"{BASE}/credits/packages"
    assert (await http.get(path, headers=user.headers)).status_code == 200
    assert_problem(await http.get(path, headers=other.headers), 401, "unauthorized")
    assert [await _login(http, user.email, password) for password in (PASSWORD, NEW)] == [401, 200]


async def test_a_change_that_is_refused(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    before = await _stored(owner, user)
    body: dict[str, Any] = {"currentPassword": "wrong " + PASSWORD, "newPassword": NEW}
    assert_problem(await http.post(CHANGE, json=body, headers=user.headers), 403, "forbidden")
    body["currentPassword"] = PASSWORD
    assert_problem(await http.post(CHANGE, json=body), 401, "unauthorized")
    for wrong, names in (
        ({"newPassword": "password1234"}, ["newPassword"]),
        ({"newPassword": "too short"}, ["newPassword"]),
        ({"newPassword": PASSWORD}, ["newPassword"]),
        ({"userId": user.id}, ["userId"]),
    ):
        answer = await http.post(CHANGE, json={**body, **wrong}, headers=user.headers)
        assert fields(assert_problem(answer, 422, "invalid_request")) == names
    await http.post(f"{BASE}/auth/logout", headers=user.headers)
    assert_problem(await http.post(CHANGE, json=body, headers=user.headers), 401, "unauthorized")
    assert await _stored(owner, user) == before


@pytest.mark.checklist(37)
@pytest.mark.parametrize("password", ["password1234", "qwertyuiop12", "PasswordPassword", "Mana Mana Mana!"])
async def test_common_passwords_register_nobody(http: httpx.AsyncClient, password: str) -> None:
    answer = await http.post(f"{BASE}/auth/register", json={"email": new_email(), "password": password})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["password"]


@pytest.mark.checklist(37)
async def test_an_address_or_a_name_makes_no_password(http: httpx.AsyncClient) -> None:
    email = new_email()
    for own in (email, email.partition("@")[0] + "!", "Ada Lovelace 12"):
        body = {"email": email, "password": own, "name": "Ada Lovelace"}
        answer = await http.post(f"{BASE}/auth/register", json=body)
        assert fields(assert_problem(answer, 422, "invalid_request")) == ["password"]


@pytest.mark.checklist(42, 43, 44)
async def test_a_user_who_forgot_the_password_sets_another(
    http: httpx.AsyncClient, api: Process, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """Every session ends, none begins, and no secret of it is written down anywhere."""
    answer = await http.post(FORGOT, json={"email": user.email.upper()})
    assert (answer.status_code, answer.json()) == (200, DONE)
    link = await newest_link(owner, "reset_requested", user.email.upper().replace("EXAMPLE.COM", "example.com"))
    answer = await http.post(RESET, json={"token": link, "newPassword": NEW})
    assert (answer.status_code, answer.json(), answer.headers["cache-control"]) == (200, DONE, "no-store")
    assert "set-cookie" not in answer.headers
    assert_problem(await http.get(f"{BASE}/credits/packages", headers=user.headers), 401, "unauthorized")
    assert [await _login(http, user.email, password) for password in (PASSWORD, NEW)] == [401, 200]
    again = await http.post(RESET, json={"token": link, "newPassword": PASSWORD})
    assert fields(assert_problem(again, 422, "invalid_request")) == ["token"]
    for secret in (link, NEW):
        assert secret not in api.output
        for table in ("verification_tokens", "mails", "security_events", "passwords", "outbox"):
            found = f"SELECT count(*) FROM auth.{table} AS kept WHERE kept::text LIKE $1"
            assert await owner.fetchval(found, f"%{secret}%") == 0


@pytest.mark.checklist(36)
@pytest.mark.parametrize("kind", ["bcrypt", "scrypt", "argon2"])
async def test_an_imported_hash_signs_in_and_is_replaced(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, kind: str
) -> None:
    """By several sign-ins at once, too: all succeed, and one hash of ours stays."""
    imported = _imported(kind, LONG)
    await owner.execute("UPDATE auth.passwords SET hash = $2 WHERE user_id = $1::text::uuid", user.id, imported)
    assert await _login(http, user.email, "wrong " + LONG) == 401
    assert await _stored(owner, user) == imported, "a wrong one changes nothing"
    assert await asyncio.gather(*(_login(http, user.email, LONG) for _ in range(4))) == [200] * 4
    assert (await _stored(owner, user)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await _login(http, user.email, LONG) == 200


@pytest.mark.checklist(35)
async def test_what_bcrypt_cut_off_counts_from_the_first_sign_in(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "UPDATE auth.passwords SET hash = $2 WHERE user_id = $1::text::uuid", user.id, _imported("bcrypt", LONG)
    )
    assert await _login(http, user.email, LONG) == 200
    assert await _login(http, user.email, LONG.encode()[:72].decode()) == 401
    assert await _login(http, user.email, LONG) == 200


def _imported(kind: str, password: str) -> str:
    if kind == "bcrypt":
        return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(5)).decode()
    if kind == "argon2":
        return argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=2).hash(password)
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=1024, r=8, p=1, dklen=32)
    return f"$scrypt$ln=10,r=8,p=1${_base64(salt)}${_base64(digest)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).rstrip(b"=").decode()


@pytest.mark.checklist(39)
@pytest.mark.parametrize("token", ["", "x", "\ufffd" * 43, "A" * 43, "A" * 10_000], ids=len)
async def test_what_is_no_link_resets_nothing(http: httpx.AsyncClient, token: str) -> None:
    answer = await http.post(RESET, json={"token": token, "newPassword": NEW})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["token"]


async def test_a_registered_user_is_asked_to_prove_the_address(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """Ordered with the user, in one transaction; addresses that are taken order nothing."""
    assert ledger.opens
    user = await register(http)
    orders = "SELECT count(*) FROM auth.mails WHERE kind = 'verify' AND user_id = $1::text::uuid"
    assert await owner.fetchval(orders, user["id"]) == 1
    before = await owner.fetchval("SELECT count(*) FROM auth.mails")
    answer = await http.post(f"{BASE}/auth/register", json={"email": user["email"], "password": PASSWORD})
    assert_problem(answer, 409, "email_taken")
    assert await owner.fetchval("SELECT count(*) FROM auth.mails") == before


async def test_a_second_user_is_untouched(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    bystander = await sign_up(http)
    await http.post(FORGOT, json={"email": user.email})
    link = await newest_link(owner, "reset_requested", user.email)
    await http.post(RESET, json={"token": link, "newPassword": NEW})
    assert (await http.get(f"{BASE}/credits/packages", headers=bystander.headers)).status_code == 200
    assert await _login(http, bystander.email, PASSWORD) == 200
