"""Services charge, refund, grant to and look at users whom they name: what is sent for them, and what they may not.

The numbers in brackets are those of SECURITY.md's checklist.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.apps import ON_BEHALF_HEADER
from tests.integration.api.ledger import ScriptedLedger, refusal, silence
from tests.integration.api.services import ServiceToken, give_token, register_app, service
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields

CREDITS: Final = f"{BASE}/credits"
BODIES: Final[dict[str, dict[str, Any]]] = {
    "use": {"amount": 3, "description": "GPT answer"},
    "refund": {"transactionId": "01900000-0000-7000-8000-000000000001", "amount": 1},
    "grant": {"amount": 5, "description": "sorry", "source": "bonus"},
    "adjust": {"amount": 2, "description": "counted twice", "reason": "ticket 7"},
}


def _body(name: str, user: SignedIn, app_id: str, **more: Any) -> dict[str, Any]:
    own = {"appId": app_id} if name == "use" else {}
    return {**BODIES[name], **own, "userId": user.id, "idempotencyKey": f"{name}-{uuid4()}", **more}


async def _send(http: httpx.AsyncClient, token: ServiceToken, name: str, body: Any, **headers: str) -> httpx.Response:
    return await http.post(f"{CREDITS}/{name}", json=body, headers={**token.headers, **headers})


@pytest.mark.parametrize("name", BODIES)
async def test_a_command_goes_out_for_the_app(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger, name: str
) -> None:
    """[64]: by the front's login, with the app's id in a header, whatever else the body says."""
    token = await service(http, owner, f"credits:{name}")
    body = _body(name, user, token.app.id, metadata={"m": 1})
    answer = await _send(http, token, name, body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"transaction", "balance", "replayed"}
    kind, sent, message = ledger.seen[-1]
    assert (kind, sent) == (f"credits.{name}", body)
    assert (message.user_id, message.routing_key) == ("mana-front", user.id)
    assert dict(message.headers) == {ON_BEHALF_HEADER: token.app.id}


async def test_a_users_own_command_goes_out_for_no_app(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """[64]"""
    body = {"amount": 1, "appId": "chat", "description": "d"}
    headers = {**user.headers, ON_BEHALF_HEADER: "chat"}
    assert (await http.post(f"{CREDITS}/use", json=body, headers=headers)).status_code == 200
    assert dict(ledger.seen[-1][2].headers) == {}


@pytest.mark.parametrize("name", BODIES)
async def test_without_the_permission_nothing_is_sent(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger, name: str
) -> None:
    """[64]: the token's own permissions count as well as the app's."""
    others = [f"credits:{each}" for each in BODIES if each != name]
    narrow = await give_token(http, await register_app(owner, "admin", f"credits:{name}", *others), " ".join(others))
    for token in (await service(http, owner, "events:read", "users:read", *others), narrow):
        answer = await _send(http, token, name, _body(name, user, token.app.id))
        assert_problem(answer, 403, "forbidden")
    assert set(ledger.of(user.id)) <= {"account.open"}


async def test_a_service_uses_credits_under_its_own_app(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """[64]: but for an administrator's, which may do all of it."""
    token = await service(http, owner)
    for other in ("chat", token.app.id.upper()):
        assert_problem(await _send(http, token, "use", _body("use", user, other)), 403, "app_mismatch")
    assert set(ledger.of(user.id)) <= {"account.open"}
    admin = await service(http, owner, "admin")
    for name in BODIES:
        answer = await _send(http, admin, name, _body(name, user, "chat"))
        assert answer.status_code == 200, answer.text
        assert ledger.seen[-1][2].headers[ON_BEHALF_HEADER] == admin.app.id


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"userId": None}, "userId"),
        ({"userId": "somebody"}, "userId"),
        ({"userId": 7}, "userId"),
        ({"amount": 0}, "amount"),
        ({"transactionId": "x"}, "transactionId"),
        ({"idempotencyKey": "stripe:1"}, "idempotencyKey"),
        ({"idempotencyKey": ".."}, "idempotencyKey"),
    ],
)
async def test_a_command_that_is_none(
    http: httpx.AsyncClient,
    owner: asyncpg.Connection,
    user: SignedIn,
    ledger: ScriptedLedger,
    change: dict[str, Any],
    field: str,
) -> None:
    assert ledger.opens
    token = await service(http, owner)
    problem = assert_problem(
        await _send(http, token, "use", _body("use", user, token.app.id, **change)), 422, "invalid_request"
    )
    assert fields(problem) == [field]


async def test_a_service_names_the_user(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """And users name nobody, themselves neither."""
    assert ledger.opens
    token = await service(http, owner, "credits:use", "users:read")
    unnamed = _body("use", user, token.app.id)
    del unnamed["userId"]
    assert fields(assert_problem(await _send(http, token, "use", unnamed), 422, "invalid_request")) == ["userId"]
    own = await http.post(f"{CREDITS}/use", json=_body("use", user, "chat"), headers=user.headers)
    assert fields(assert_problem(own, 422, "invalid_request")) == ["userId"]
    for path in ("balance", "transactions", "operations/k"):
        for headers, query in ((token.headers, {}), (user.headers, {"userId": user.id})):
            answer = await http.get(f"{CREDITS}/{path}", params=query, headers=headers)
            assert fields(assert_problem(answer, 422, "invalid_request")) == ["userId"]


@pytest.mark.parametrize("code", ["insufficient_credits", "unknown_user", "account_frozen", "app_mismatch"])
async def test_the_ledgers_refusals_are_passed_on(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger, code: Any
) -> None:
    ledger.answer = refusal(code)
    token = await service(http, owner)
    answer = await _send(http, token, "use", _body("use", user, token.app.id))
    assert answer.json()["code"] == code


async def test_what_is_not_answered_in_time_is_looked_up_for_the_user(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    ledger.answer = silence
    token = await service(http, owner)
    body = _body("refund", user, token.app.id)
    key = body.pop("idempotencyKey") + "/ä"
    answer = await _send(http, token, "refund", body, Prefer="wait=0", **{"Idempotency-Key": key.encode()})
    assert answer.status_code == 202, answer.text
    where = answer.headers["location"]
    assert where.endswith(f"?userId={user.id}")
    assert answer.json() == {"status": "pending", "idempotencyKey": key, "location": where}
    assert_problem(await http.get(where, headers=token.headers), 404, "not_found")
    await owner.execute(
        "INSERT INTO credits.refusals (account_id, idempotency_key, identity, code, message, details, created_at)"
        " VALUES ($1::text::uuid, $2, $3, 'invalid_request', 'no', '{}', now())",
        user.id,
        key,
        await ledger.message_id_of(key),
    )
    found = await http.get(where, headers=token.headers)
    assert (found.status_code, found.json()["status"]) == (200, "refused")


async def test_a_user_as_services_see_one(
    http: httpx.AsyncClient, owner: asyncpg.Connection, user: SignedIn, ledger: ScriptedLedger
) -> None:
    assert ledger.opens
    token, narrow = await service(http, owner, "users:read"), await service(http, owner)
    answer = await http.get(f"{BASE}/users/{user.id}", headers=token.headers)
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told.keys() == {"id", "email", "name", "role", "emailVerified", "createdAt", "bannedAt"}
    assert (told["id"], told["email"], told["role"], told["bannedAt"]) == (user.id, user.email, "user", None)
    await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1::text::uuid", user.id)
    assert (await http.get(f"{BASE}/users/{user.id}", headers=token.headers)).json()["bannedAt"]
    assert_problem(await http.get(f"{BASE}/users/{uuid4()}", headers=token.headers), 404, "not_found")
    assert_problem(await http.get(f"{BASE}/users/{user.id}", headers=narrow.headers), 403, "forbidden")
