"""Health, metrics, and documents that need no internet."""

from __future__ import annotations

import json
import re
from typing import Final

import asyncpg
import httpx

from ops.place import CHECKOUT
from tests.integration.api.users import BASE, assert_problem

PUBLISHED: Final = CHECKOUT / "docs" / "contract" / "openapi.json"


async def test_live_and_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health/live")).json() == {"status": "live"}
    assert (await http.get("/health/ready")).json() == {"status": "ready"}


async def test_not_ready_before_the_migrations(http: httpx.AsyncClient, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE mana.migrations SET number = number - 1000")
    try:
        problem = assert_problem(await http.get("/health/ready"), 503, "overloaded")
    finally:
        await owner.execute("UPDATE mana.migrations SET number = number + 1000")
    assert "run ./mana migrate" in problem["detail"]
    assert problem["details"]["failing"] == ["postgresql"]
    assert (await http.get("/health/ready")).status_code == 200


async def test_metrics_count_by_route_and_not_by_path(http: httpx.AsyncClient) -> None:
    await http.get(f"{BASE}/credits/operations/some-key")
    await http.get("/no/such/path")
    text = (await http.get("/metrics")).text
    assert 'route="/api/v1/credits/operations/{key:path}"' in text
    assert "some-key" not in text
    assert "no/such" not in text
    assert "mana_broker_connected 1.0" in text


async def test_openapi_has_every_route_of_the_contract(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert {
        ("post", f"{BASE}/auth/register"),
        ("post", f"{BASE}/auth/login"),
        ("post", f"{BASE}/auth/refresh"),
        ("post", f"{BASE}/auth/logout"),
        ("post", f"{BASE}/auth/validate"),
        ("get", f"{BASE}/auth/jwks"),
        ("post", f"{BASE}/credits/use"),
        ("get", f"{BASE}/credits/balance"),
        ("get", f"{BASE}/credits/transactions"),
        ("get", f"{BASE}/credits/lots"),
        ("get", f"{BASE}/credits/usage"),
        ("get", f"{BASE}/credits/purchases"),
        ("get", f"{BASE}/credits/packages"),
    } <= routes
    assert document["paths"][f"{BASE}/credits/use"]["post"]["security"] == [
        {"bearer": []},
        {"apiKey": []},
        {"service": []},
    ]


async def test_openapi_names_the_codes_that_a_route_can_answer_and_no_others(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()

    def codes(method: str, path: str) -> dict[str, list[str]]:
        answers = document["paths"][f"{BASE}{path}"][method]["responses"]
        contents = {status: answer["content"].get("application/problem+json") for status, answer in answers.items()}
        return {
            status: sorted(content["schema"]["allOf"][1]["properties"]["code"]["enum"])
            for status, content in contents.items()
            if content is not None
        }

    everywhere = {"429": ["rate_limited"], "500": ["internal"], "503": ["overloaded"]}
    assert codes("post", "/auth/register") == everywhere | {
        "409": ["email_taken"],
        "413": ["payload_too_large"],
        "422": ["invalid_request"],
    }
    assert codes("post", "/credits/use") == everywhere | {
        "401": ["unauthorized"],
        "402": ["insufficient_credits"],
        "403": ["account_frozen", "app_mismatch", "forbidden"],
        "404": ["unknown_user"],
        "409": ["idempotency_conflict"],
        "413": ["payload_too_large"],
        "422": ["invalid_request"],
    }
    assert codes("get", "/credits/lots") == everywhere | {"401": ["unauthorized"], "403": ["forbidden"]}
    assert codes("get", "/auth/jwks") == everywhere
    assert codes("post", "/webhooks/stripe") == {
        "400": ["invalid_request"],
        "413": ["payload_too_large"],
        "500": ["internal"],
        "503": ["overloaded", "payments_disabled"],
    }


async def test_operations_have_short_names_and_groups(http: httpx.AsyncClient) -> None:
    """Programs made from the document call them so: these names stay."""
    document = (await http.get("/openapi.json")).json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]{2,30}", name) for name in names)
    assert {"login", "refresh", "logout", "logoutAll", "deleteMe", "useCredits", "getBalance", "banUser"} <= set(names)
    groups = [tag["name"] for tag in document["tags"]]
    assert {tag for operation in operations for tag in operation["tags"]} == set(groups)
    assert all(len(operation["tags"]) == 1 for operation in operations)
    login = document["paths"][f"{BASE}/auth/login"]["post"]
    assert login["summary"] == "Starts a session, or asks for the second factor of a user who has one"
    text = json.dumps([document["paths"], document["components"]])
    assert re.findall(r'"title": "[^"]*"', text) == []
    assert document["info"]["title"] == "Mana"
    assert "title" in document["components"]["schemas"]["Problem"]["properties"]


async def test_openapi_is_the_published_one(http: httpx.AsyncClient) -> None:
    """Made without a server and with other settings, by `.venv/bin/python -m ops.contract write`."""
    assert (await http.get("/openapi.json")).json() == json.loads(PUBLISHED.read_text())


async def test_openapi_refers_to_nothing_that_is_missing(http: httpx.AsyncClient) -> None:
    text = (await http.get("/openapi.json")).text
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert wanted <= set(schemas)
    assert "HTTPValidationError" not in schemas


async def test_the_root_leads_to_the_documentation(http: httpx.AsyncClient) -> None:
    answer = await http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


async def test_the_documentation_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
