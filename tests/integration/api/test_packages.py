"""Packages as administrators declare and retire them, and as users see them; the operator's program at the door."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.administrators import ADMIN, PACKAGE, do, done
from tests.integration.api.operators import launch
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields

USD = {"currency": "usd", "amount": 110, "stripePriceId": "price_1"}


@pytest.fixture
def path() -> str:
    """Of a package that there is not."""
    return f"/packages/test-{secrets.token_hex(6)}"


async def _shown(http: httpx.AsyncClient, by: SignedIn, path: str) -> dict[str, Any] | None:
    """The package as users see it."""
    listed = (await http.get(f"{BASE}/credits/packages", headers=by.headers)).json()
    return next((package for package in listed if path.endswith(f"/{package['id']}")), None)


async def _told(http: httpx.AsyncClient, by: SignedIn, path: str) -> list[tuple[str, dict[str, Any]]]:
    """Type and details of the package's events, oldest first; each names who did it."""
    events = [
        event
        for kind in ("package.declared", "package.retired")
        for event in await done(http, by, "GET", f"/events?type={kind}")
        if path.endswith(event["details"]["package"])
    ]
    assert {event["actorId"] for event in events} <= {by.id}
    return [(event["type"], event["details"]) for event in sorted(events, key=lambda event: event["createdAt"])]


async def test_a_package_is_declared_retired_and_brought_back(
    http: httpx.AsyncClient, admin: SignedIn, path: str
) -> None:
    made = await do(http, admin, "PUT", path, {**PACKAGE, "otherPrices": [USD, {"currency": "jpy", "amount": 15}]})
    assert made.status_code == 201
    name = path.removeprefix("/packages/")
    whole = {
        "id": name,
        "active": True,
        "stripePriceId": None,
        **PACKAGE,
        "otherPrices": [{"currency": "jpy", "amount": 15, "stripePriceId": None}, USD],
    }
    assert made.json() == whole
    assert await _shown(http, admin, path) == whole

    assert await done(http, admin, "PUT", path, {**PACKAGE, "credits": 6}) == {**whole, "credits": 6, "otherPrices": []}
    assert (await done(http, admin, "PUT", path, {**PACKAGE, "credits": 6}))["credits"] == 6, "changes nothing"
    for _ in range(2):
        assert await done(http, admin, "DELETE", path) == {"success": True}
        assert await _shown(http, admin, path) is None
    (kept,) = [package for package in await done(http, admin, "GET", "/packages") if package["id"] == name]
    assert kept == {**whole, "credits": 6, "otherPrices": [], "active": False}
    assert (await done(http, admin, "PUT", path, {**PACKAGE, "credits": 6}))["active"] is True
    assert await _shown(http, admin, path) == {**whole, "credits": 6, "otherPrices": []}

    told = await _told(http, admin, path)
    assert [(kind, details["change"]) for kind, details in told] == [
        ("package.declared", "new"),
        ("package.declared", "changed"),
        ("package.retired", "retired"),
        ("package.declared", "brought back"),
    ]
    assert told[1][1]["old"] == {
        "credits": 5,
        "otherPrices.jpy": 15,
        "otherPrices.usd": 110,
        "otherPrices.usd.stripePriceId": "price_1",
    }
    assert told[1][1]["new"] == {"credits": 6}


async def test_without_a_place_it_keeps_its_own_or_is_the_last(
    http: httpx.AsyncClient, admin: SignedIn, path: str
) -> None:
    anywhere = {name: value for name, value in PACKAGE.items() if name != "sortOrder"}
    await do(http, admin, "PUT", f"{path}-first", PACKAGE)
    last = max(package["sortOrder"] for package in await done(http, admin, "GET", "/packages"))
    assert (await do(http, admin, "PUT", path, anywhere)).json()["sortOrder"] == last + 1
    assert (await done(http, admin, "PUT", f"{path}-first", anywhere))["sortOrder"] == PACKAGE["sortOrder"]


async def test_who_is_signed_out_while_waiting_for_another_change_does_nothing(
    http: httpx.AsyncClient, admin: SignedIn, owner: asyncpg.Connection, path: str
) -> None:
    """[57]."""
    async with owner.transaction():
        await owner.execute("LOCK TABLE credits.packages IN SHARE ROW EXCLUSIVE MODE")
        act = asyncio.create_task(do(http, admin, "PUT", path, PACKAGE))
        async with asyncio.timeout(4):
            while not await owner.fetchval(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'credits.packages'::regclass"
            ):
                await asyncio.sleep(0.02)
        assert await _shown(http, admin, path) is None, "who reads does not wait"
        await owner.execute(
            "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1::text::uuid",
            admin.id,
        )
    assert_problem(await act, 401, "unauthorized")
    assert not await owner.fetch("SELECT 1 FROM credits.packages WHERE id = $1", path.removeprefix("/packages/"))


async def test_what_is_no_package(http: httpx.AsyncClient, admin: SignedIn, path: str) -> None:
    """[58]."""
    spoilt: list[tuple[dict[str, Any], str]] = [
        ({"credits": 5.5}, "credits"),
        ({"priceEuroCents": "100"}, "priceEuroCents"),
        ({"name": "a\u0007"}, "name"),
        ({"active": False}, "active"),
        ({"id": "other"}, "id"),
        ({"otherPrices": [{"currency": "eur", "amount": 1}]}, "otherPrices.0.currency"),
        ({"otherPrices": [USD, USD]}, "otherPrices"),
    ]
    for more, field in spoilt:
        answer = await do(http, admin, "PUT", path, {**PACKAGE, **more})
        assert fields(assert_problem(answer, 422, "invalid_request")) == [field]
    assert await _shown(http, admin, path) is None


async def test_what_is_no_id_and_what_nobody_has(http: httpx.AsyncClient, admin: SignedIn, path: str) -> None:
    assert_problem(await do(http, admin, "DELETE", path), 404, "not_found")
    for method, body in (("PUT", PACKAGE), ("DELETE", None)):
        answer = await http.request(method, f"{ADMIN}/packages/a%20b", json=body, headers=admin.headers)
        assert fields(assert_problem(answer, 422, "invalid_request")) == ["packageId"]


async def test_the_program_says_what_a_file_would_change(servers: Instance, tmp_path: Path) -> None:
    file = tmp_path / "packages.yaml"
    file.write_text("- {id: credits-500, name: Small, description: d, credits: 500, priceEuroCents: 500}\n")
    said = await launch(servers, "packages", "apply", str(file), "--dry-run")
    assert said.status == 0, said.errors
    assert said.output.startswith("changed       credits-500\n              name: Starter → Small\n")
    assert "retired       credits-1000\n" in said.output
    assert said.output.endswith("Nothing was changed: this was a dry run.\n")
