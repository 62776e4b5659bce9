"""Users, as a client of the REST front makes them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

BASE = "/api/v1"
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class SignedIn:
    """A registered user with a session."""

    id: str
    email: str
    access_token: str
    refresh_token: str

    @property
    def headers(self) -> dict[str, str]:
        """What proves the user."""
        return {"authorization": f"Bearer {self.access_token}"}


def new_email() -> str:
    """An address that nobody has."""
    return f"u{secrets.token_hex(8)}@example.com"


async def register(http: httpx.AsyncClient, email: str | None = None) -> dict[str, Any]:
    """A new user."""
    body = {"email": email or new_email(), "password": PASSWORD}
    answer = await http.post(f"{BASE}/auth/register", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def login(http: httpx.AsyncClient, email: str, password: str = PASSWORD) -> SignedIn:
    """A session of a registered user."""
    answer = await http.post(f"{BASE}/auth/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    given = answer.json()
    return SignedIn(given["user"]["id"], email, given["accessToken"], given["refreshToken"])


async def sign_up(http: httpx.AsyncClient) -> SignedIn:
    """A new user with a session."""
    user = await register(http)
    return await login(http, user["email"])


async def is_valid(http: httpx.AsyncClient, token: str) -> bool:
    """Whether the front takes the access token for good."""
    return (await http.post(f"{BASE}/auth/validate", json={"token": token})).json()["valid"]


async def pages(http: httpx.AsyncClient, user: SignedIn, url: str) -> list[dict[str, Any]]:
    """What is on that page and on all that follow it, as their ``Link`` headers tell."""
    paged = list[dict[str, Any]]()
    while url:
        answer = await http.get(url, headers=user.headers)
        paged += answer.json()
        url = answer.links.get("next", {}).get("url", "")
    return paged


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a whole problem document with that status and code; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "details"}
    assert (problem["status"], problem["code"]) == (status, code)
    return problem


def fields(problem: dict[str, Any]) -> list[str]:
    """The names of the fields that a problem complains of."""
    return [entry["field"] for entry in problem["details"]["errors"]]
