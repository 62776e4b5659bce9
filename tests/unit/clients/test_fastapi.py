"""Goal: who shows no good token is answered with 401, who may not with 403, both as problem documents."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from mana_client.fastapi import CurrentService, CurrentToken, CurrentUser, install, require_role, require_scope

from tests.unit.clients.issuer import OF_SERVICE, OF_USER, USER, Issuer

ADMIN = {**OF_USER, "role": "admin"}


def _app(issuer: Issuer) -> FastAPI:
    app = FastAPI()
    install(app, issuer.verifier())

    async def me(user: CurrentUser) -> str:
        return user.user_id

    async def service(service: CurrentService) -> str:
        return service.app_id

    async def anybody(token: CurrentToken) -> str:
        return token.role

    async def nothing() -> str:
        return "done"

    app.get("/me")(me)
    app.get("/service")(service)
    app.get("/anybody")(anybody)
    app.get("/admin", dependencies=[require_role("admin")])(nothing)
    app.get("/staff", dependencies=[require_role("admin", "service")])(nothing)
    app.get("/refunds", dependencies=[require_scope("credits:use", "credits:refund")])(nothing)
    app.get("/grants", dependencies=[require_scope("credits:use", "credits:grant")])(nothing)
    return app


@pytest.fixture
def issuer() -> Issuer:
    """Of the tokens."""
    return Issuer()


@pytest.fixture
async def http(issuer: Issuer) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the app."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(_app(issuer)), base_url="http://app") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "claims", "answer"),
    [
        ("/me", OF_USER, USER), ("/me", ADMIN, USER), ("/me", OF_SERVICE, 403),
        ("/service", OF_SERVICE, "chat"), ("/service", OF_USER, 403),
        ("/anybody", OF_USER, "user"), ("/anybody", OF_SERVICE, "service"),
        ("/admin", ADMIN, "done"), ("/admin", OF_USER, 403), ("/admin", OF_SERVICE, 403),
        ("/staff", ADMIN, "done"), ("/staff", OF_SERVICE, "done"), ("/staff", OF_USER, 403),
        ("/refunds", OF_SERVICE, "done"), ("/refunds", ADMIN, 403),
        ("/grants", OF_SERVICE, 403),
    ],
)  # fmt: skip
async def test_who_may(
    http: httpx.AsyncClient, issuer: Issuer, path: str, claims: dict[str, Any], answer: object
) -> None:
    given = await http.get(path, headers={"Authorization": f"Bearer {issuer.token(claims)}"})
    if answer == 403:
        _is_problem(given, 403, "forbidden")
    else:
        assert (given.status_code, given.json()) == (200, answer)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ({}, "Bearer"),
        ({"Authorization": "Basic YTpi"}, "Bearer"),
        ({"Authorization": "Bearer abc"}, 'Bearer error="invalid_token"'),
    ],
)
@pytest.mark.parametrize("path", ["/me", "/service", "/anybody", "/admin", "/refunds"])
async def test_without_a_good_token(http: httpx.AsyncClient, path: str, header: dict[str, str], challenge: str) -> None:
    refused = await http.get(path, headers=header)
    _is_problem(refused, 401, "unauthorized")
    assert refused.headers["www-authenticate"] == challenge


async def test_a_scope_that_is_missing_is_named(http: httpx.AsyncClient, issuer: Issuer) -> None:
    refused = await http.get("/grants", headers={"Authorization": f"Bearer {issuer.token(OF_SERVICE)}"})
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", scope="credits:use credits:grant"'
    )


async def test_while_the_keys_cannot_be_had(http: httpx.AsyncClient, issuer: Issuer) -> None:
    issuer.fails = httpx.Response(500)
    refused = await http.get("/me", headers={"Authorization": f"Bearer {issuer.token(OF_USER)}"})
    _is_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"] == "1"


def _is_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "details"}
    assert (problem["status"], problem["code"]) == (status, code)
