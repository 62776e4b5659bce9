"""Apps by administrators, over REST."""

from __future__ import annotations

import secrets
from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.api.administrators import administrator, do, done
from tests.integration.api.users import SignedIn, assert_problem, fields, sign_up
from tests.integration.apps.broker import Broker, Given, connected
from tests.integration.workers.running import Running

USUAL = ["credits:use", "credits:refund", "events:read"]


@pytest.fixture(autouse=True)
def with_keeper(keeper: Running) -> Running:
    """Logins are to be made at once."""
    return keeper


@pytest.fixture
def app_id() -> str:
    """One that no app has."""
    return f"app-{secrets.token_hex(6)}"


async def _created(http: httpx.AsyncClient, admin: SignedIn, path: str, body: Any = None) -> dict[str, Any]:
    answer = await do(http, admin, "POST", path, body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_an_apps_whole_life(
    http: httpx.AsyncClient, admin: SignedIn, app_id: str, broker: Broker, owner: asyncpg.Connection
) -> None:
    made = await _created(http, admin, "/apps", {"id": app_id, "name": "Chat"})
    app, secret = made["app"], made["secret"]
    assert secret["login"] == f"{app_id}.{secret['id']}"
    assert (app["name"], app["permissions"], app["commandsPerSecond"], app["revokedAt"]) == ("Chat", USUAL, None, None)
    assert [(one["id"], one["login"], one["ready"], one["lastUsedAt"]) for one in app["secrets"]] == [
        (secret["id"], secret["login"], secret["ready"], None)
    ]
    known = await _settled(http, admin, broker, app_id, ready=secret["ready"])
    assert known == {**app, "secrets": [{**one, "ready": True} for one in app["secrets"]]}

    other = await _created(http, admin, f"/apps/{app_id}/secrets")
    await _settled(http, admin, broker, app_id, ready=other["ready"])
    for one in (secret, other):
        async with connected(_given(broker, app_id, one)):
            pass
    third = await do(http, admin, "POST", f"/apps/{app_id}/secrets")
    assert fields(assert_problem(third, 422, "invalid_request")) == ["secrets"]

    change = {"permissions": ["credits:use", "credits:use"], "commandsPerSecond": 7}
    changed = await done(http, admin, "PATCH", f"/apps/{app_id}", change)
    assert (changed["name"], changed["permissions"], changed["commandsPerSecond"]) == ("Chat", ["credits:use"], 7)
    assert await done(http, admin, "PATCH", f"/apps/{app_id}", change) == changed, "changes nothing"
    back = await done(http, admin, "PATCH", f"/apps/{app_id}", {"commandsPerSecond": None})
    assert (back["permissions"], back["commandsPerSecond"]) == (["credits:use"], None)

    ends = list[bool]()
    for path, left in ((f"/apps/{app_id}/secrets/{secret['id']}", {other["login"]}), (f"/apps/{app_id}", set[str]())):
        for _ in range(2):
            gone = await done(http, admin, "DELETE", path)
            assert gone == {"success": True, "ready": gone["ready"]}
            await _settled(http, admin, broker, app_id, ready=gone["ready"])
            assert await broker.logins(app_id) == left
            ends.append(gone["ready"])
    assert any((secret["ready"], other["ready"], *ends[::2])), "answers wait for the broker, though not for ever"
    listed = {one["id"]: one for one in await done(http, admin, "GET", "/apps")}
    assert listed[app_id]["revokedAt"] is not None
    taken = await do(http, admin, "POST", "/apps", {"id": app_id})
    assert fields(assert_problem(taken, 422, "invalid_request")) == ["id"]
    for method, path in (("PATCH", ""), ("POST", "/secrets")):
        refused = await do(http, admin, method, f"/apps/{app_id}{path}", {"name": "x"} if method == "PATCH" else None)
        assert fields(assert_problem(refused, 422, "invalid_request")) == ["id"]

    told = await owner.fetch(
        "SELECT type, actor_id::text AS actor, details::text AS details FROM auth.security_events"
        " WHERE details ->> 'app' = $1 AND type LIKE 'app.%' ORDER BY id",
        app_id,
    )
    assert {row["actor"] for row in told} == {admin.id}
    assert [row["type"] for row in told] == [
        *("app.created", "app.secret_added", "app.secret_added", "app.changed", "app.changed"),
        *("app.secret_revoked", "app.revoked"),
    ]
    assert not [row for row in told if "mana_app_" in row["details"]]


async def _settled(
    http: httpx.AsyncClient, admin: SignedIn, broker: Broker, app_id: str, *, ready: bool
) -> dict[str, Any]:
    """The app, once the broker is as it says: later than the answer where the machine is so busy that it is not
    ``ready`` by then."""
    if not ready:
        await broker.settled(app_id)
    app = await done(http, admin, "GET", f"/apps/{app_id}")
    assert all(one["ready"] for one in app["secrets"])
    return app


def _given(broker: Broker, app_id: str, secret: dict[str, Any]) -> Given:
    where = broker.instance.env["MANA_AMQP_URL"].rpartition("@")[2]
    return Given(app_id, secret["id"], secret["secret"], f"amqp://{secret['login']}:{secret['secret']}@{where}")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/apps", None),
        ("POST", "/apps", {"id": "mine", "permissions": ["admin"]}),
        ("GET", "/apps/x", None),
        ("PATCH", "/apps/x", {"permissions": ["admin"]}),
        ("DELETE", "/apps/x", None),
        ("POST", "/apps/x/secrets", None),
        ("DELETE", "/apps/x/secrets/abcdefghijkl", None),
    ],
)
async def test_it_is_for_administrators_alone(
    http: httpx.AsyncClient, admin: SignedIn, method: str, path: str, body: dict[str, Any] | None
) -> None:
    user = await sign_up(http)
    assert_problem(await do(http, user, method, path, body), 403, "forbidden")
    if path != "/apps":
        assert_problem(await do(http, admin, method, path, body), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["id"]),
        ({"id": "stripe"}, ["id"]),
        ({"id": "Mana-x"}, ["id"]),
        ({"id": "a.b"}, ["id"]),
        ({"id": "x", "permissions": ["all"]}, ["permissions.0"]),
        ({"id": "x", "commandsPerSecond": 0}, ["commandsPerSecond"]),
        ({"id": "x", "name": "a\nb", "unansweredMax": "many"}, ["name", "unansweredMax"]),
        ({"id": "x", "secret": "mine"}, ["secret"]),
    ],
)
async def test_what_cannot_be_meant_is_said(
    http: httpx.AsyncClient, admin: SignedIn, body: dict[str, Any], wrong: list[str]
) -> None:
    assert fields(assert_problem(await do(http, admin, "POST", "/apps", body), 422, "invalid_request")) == wrong


async def test_who_signed_in_long_ago_takes_away_but_hands_out_nothing(
    http: httpx.AsyncClient, app_id: str, owner: asyncpg.Connection
) -> None:
    admin = await administrator(http, owner)
    made = await _created(http, admin, "/apps", {"id": app_id})
    await owner.execute(
        "UPDATE auth.sessions SET authenticated_at = now() - interval '1 day' WHERE user_id = $1::text::uuid", admin.id
    )
    for method, path, body in (
        ("POST", "/apps", {"id": f"{app_id}-2"}),
        ("PATCH", f"/apps/{app_id}", {"permissions": ["admin"]}),
        ("POST", f"/apps/{app_id}/secrets", None),
    ):
        problem = assert_problem(await do(http, admin, method, path, body), 403, "forbidden")
        assert problem["details"] == {"reauthenticate": True}
    await done(http, admin, "DELETE", f"/apps/{app_id}/secrets/{made['secret']['id']}")
    await done(http, admin, "DELETE", f"/apps/{app_id}")
