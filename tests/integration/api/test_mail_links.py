"""Addresses over HTTP: proven, changed, and never told about; links that only a press of a button spends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.authenticator import age_sessions, verify_address
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, login, new_email, sign_up
from tests.integration.auth.links import newest_link

VERIFY, RESEND = f"{BASE}/auth/email/verify", f"{BASE}/auth/email/verify/resend"
CHANGE, CONFIRM = f"{BASE}/auth/email/change", f"{BASE}/auth/email/change/confirm"
FORGOT, RESET = f"{BASE}/auth/password/forgot", f"{BASE}/auth/password/reset"
DONE = {"success": True}
EVIL = {
    "host": "evil.example",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "gopher",
    "forwarded": "host=evil.example;proto=gopher",
    "origin": "https://evil.example",
    "referer": "https://evil.example/",
}


async def _verify(http: httpx.AsyncClient, owner: asyncpg.Connection, email: str) -> None:
    assert (await http.post(RESEND, json={"email": email})).json() == DONE
    answer = await http.post(VERIFY, json={"token": await newest_link(owner, "verify_requested", email)})
    assert answer.json() == DONE


async def test_a_user_proves_the_address(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    await _verify(http, owner, user.email)
    given = (await http.post(f"{BASE}/auth/login", json={"email": user.email, "password": PASSWORD})).json()
    assert given["user"]["emailVerified"] is True


async def test_a_user_moves_to_another_address(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """The session that confirms goes on; without its token none would."""
    other, new = await login(http, user.email), new_email()
    answer = await http.post(CHANGE, json={"email": new}, headers=user.headers)
    assert (answer.json(), answer.headers["cache-control"]) == (DONE, "no-store")
    link = await newest_link(owner, "change_requested", new)
    assert (await http.post(CONFIRM, json={"token": link}, headers=user.headers)).json() == DONE
    assert (await http.get(f"{BASE}/credits/packages", headers=user.headers)).status_code == 200
    assert_problem(await http.get(f"{BASE}/credits/packages", headers=other.headers), 401, "unauthorized")
    assert (await login(http, new)).id == user.id
    answer = await http.post(CONFIRM, json={"token": link})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["token"]


async def test_a_change_needs_a_session_that_is_fresh(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    assert_problem(await http.post(CHANGE, json={"email": new_email()}), 401, "unauthorized")
    await age_sessions(owner, user)
    answer = await http.post(CHANGE, json={"email": new_email()}, headers=user.headers)
    assert assert_problem(answer, 403, "forbidden")["details"] == {"reauthenticate": True}


@pytest.mark.parametrize("path", [FORGOT, RESEND, CHANGE])
async def test_what_is_no_address_is_refused(http: httpx.AsyncClient, user: SignedIn, path: str) -> None:
    for body in ({"email": "a\uff20b.com"}, {"email": "a@b.com\r\nBcc: c@d.com"}, {"email": "a@b"}, {}):
        answer = await http.post(path, json=body, headers=user.headers)
        assert fields(assert_problem(answer, 422, "invalid_request")) == ["email"]


@pytest.mark.checklist(22)
@pytest.mark.parametrize("path", [FORGOT, RESEND, CHANGE])
async def test_no_answer_tells_whether_an_address_is_known(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, path: str
) -> None:
    """Byte for byte, header for header; and the work of the request is the same: one order of one mail."""
    known, verified, banned, bare = [await sign_up(http) for _ in range(4)]
    for proven in (user, verified):
        await verify_address(owner, proven)
    await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1::text::uuid", banned.id)
    await owner.execute("DELETE FROM auth.passwords WHERE user_id = $1::text::uuid", bare.id)
    seen: set[tuple[Any, ...]] = set()
    for email in (known.email, verified.email, banned.email, bare.email, new_email()):
        before = await _orders(owner)
        answer = await http.post(path, json={"email": email}, headers=user.headers)
        changing = {"x-request-id", "date", "ratelimit"}
        headers = tuple((name, value) for name, value in answer.headers.items() if name not in changing)
        seen.add((answer.status_code, answer.content, headers, await _orders(owner) - before))
    assert len(seen) == 1
    ((status, content, _, ordered),) = seen
    assert (status, content, ordered) == (200, b'{"success":true}', 2 if path == CHANGE else 1)


async def _orders(owner: asyncpg.Connection) -> int:
    return int(await owner.fetchval("SELECT count(*) FROM auth.mails") or 0)


@pytest.mark.checklist(38)
async def test_what_a_request_says_of_hosts_is_in_no_order_of_a_mail(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """What is ordered is all that the mail worker knows of the request."""
    await verify_address(owner, user)
    email, before = new_email(), await owner.fetchval("SELECT id FROM auth.mails ORDER BY id DESC LIMIT 1")
    for path, body in (
        (f"{BASE}/auth/register", {"email": email, "password": PASSWORD}),
        (FORGOT, {"email": email}),
        (RESEND, {"email": email}),
        (CHANGE, {"email": email}),
    ):
        answer = await http.post(path, json=body, headers={**EVIL, **user.headers})
        assert answer.is_success, answer.text
    orders = await owner.fetch("SELECT mails::text AS whole, details::text FROM auth.mails WHERE id > $1", before)
    assert len(orders) == 5
    assert {row["details"] for row in orders} == {"{}"}
    assert not any("evil" in row["whole"] or "gopher" in row["whole"] for row in orders)


@pytest.mark.checklist(45)
@pytest.mark.parametrize(
    ("page", "path", "kind"),
    [
        ("/verify-email", VERIFY, "verify_requested"),
        ("/reset-password", RESET, "reset_requested"),
        ("/confirm-email", CONFIRM, "change_requested"),
    ],
)
async def test_whoever_looks_at_a_link_does_not_spend_it(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, page: str, path: str, kind: str
) -> None:
    """Mail scanners follow links, and some send what they find to the page's server."""
    email = new_email() if kind == "change_requested" else user.email
    asked = {"verify_requested": RESEND, "reset_requested": FORGOT, "change_requested": CHANGE}[kind]
    await http.post(asked, json={"email": email}, headers=user.headers)
    link = await newest_link(owner, kind, email)
    for method in ("GET", "HEAD", "OPTIONS") * 3:
        for address in (f"{page}?token={link}", f"{path}?token={link}"):
            await http.request(method, address)
    shown = await http.get(page)
    assert (shown.status_code, shown.headers["referrer-policy"]) == (200, "no-referrer")
    assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert_problem(await http.get(f"{path}?token={link}"), 405, "method_not_allowed")
    body = {"token": link, **({"newPassword": "a staple after the scan"} if path == RESET else {})}
    assert (await http.post(path, json=body)).json() == DONE


@pytest.mark.checklist(66)
async def test_the_bonus_comes_with_the_first_proof_where_the_setting_says_so(
    servers: Instance, logs: Path, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    async with another_front(servers, logs, CREDITS_SIGNUP_BONUS_AT="verified_email") as (_, http):
        user = await sign_up(http)
        (opening,) = [body for _, body, _ in ledger.seen if body["userId"] == user.id]
        assert opening["signupBonus"] is False
        await _verify(http, owner, user.email)
        await ledger.until(user.id, "credits.grant")
        await _verify(http, owner, user.email)
    (grant,) = [body for kind, body, _ in ledger.seen if body["userId"] == user.id and kind == "credits.grant"]
    assert (grant["idempotencyKey"], grant["amount"], grant["source"]) == ("mana:signup-bonus", 150, "bonus")
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid", user.id) == 0
