"""Routes that are counted in a class of their own, and what their clients are told of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import get_args
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI, Request

from api import errors
from api.errors import Unavailable, refuse
from api.proxies import Proxies
from api.throttle.classes import ClassName, LimitClass
from api.throttle.gate import Gate
from api.throttle.limited import limited
from api.throttle.local_limiter import LocalLimiter
from api.throttle.throttle import Throttle
from tests.unit.api.throttle.subjects import NAMES, StandingClock

OF_ROUTES: list[ClassName] = [
    name
    for name in get_args(ClassName)
    if name
    not in {"general", "login_network", "login_under_pressure", "failed_logins", "mail_addressee", "token_address"}
]
"""Classes that a route names; the others are counted beside them."""
IF_DONE: list[ClassName] = ["credentials", "export"]


@dataclass(frozen=True)
class _Claims:
    user_id: UUID


class _Guard:
    async def admit(self, request: Request) -> _Claims:
        return _Claims(UUID(int=int(request.headers["x-user"])))


async def _app(request: Request) -> bytes:
    return request.headers.get("x-app", "").encode()


@asynccontextmanager
async def _client(
    name: ClassName, quota: int = 3, general: int = 100, room: int = 100, token_address: int | None = None
) -> AsyncGenerator[httpx.AsyncClient]:
    """Of a front whose ``/api/v1/it`` is in this class, and answers as its query says."""
    app = FastAPI()
    errors.install(app)
    limits = {each: LimitClass(each, quota, timedelta(seconds=60 * quota)) for each in get_args(ClassName)}
    limits["general"] = LimitClass("general", general, timedelta(seconds=general))
    if token_address is not None:
        limits["token_address"] = LimitClass("token_address", token_address, timedelta(minutes=token_address))
    throttle = Throttle(LocalLimiter(NAMES, room, clock=StandingClock()), limits)
    app.state.throttle, app.state.guard = throttle, _Guard()

    async def it(outcome: str = "fine", number: int = 0) -> str:
        match outcome:
            case "wrong":
                raise refuse("unauthorized", "wrong")
            case "full":
                raise Unavailable("passwords", "full")
            case _:
                return f"{outcome} {number}"

    app.add_api_route("/api/v1/it", it, methods=["GET"], dependencies=[limited(name, _app)])
    app.add_api_route("/health/it", it, methods=["GET"])
    transport = httpx.ASGITransport(Proxies(Gate(app, throttle), ()), client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://front", headers={"x-user": "1"}) as http:
        yield http


@pytest.mark.parametrize("name", OF_ROUTES)
async def test_every_class_refuses_with_the_standard_fields(name: ClassName) -> None:
    """What is left before it is used up, and when it may be tried again after that."""
    outcome, status = ("fine", 200) if name in IF_DONE else ("wrong", 401)
    async with _client(name) as http:
        for left in (2, 1, 0):
            answer = await http.get(f"/api/v1/it?outcome={outcome}")
            assert answer.status_code == status
            assert answer.headers["ratelimit-policy"] == f'"{name}";q=3;w=180'
            assert answer.headers["ratelimit"] == f'"{name}";r={left};t={(3 - left) * 60}'
        refused = await http.get(f"/api/v1/it?outcome={outcome}")
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["retry-after"] == "60"
        beside = {"login": "login_network", "token": "token_address"}
        assert refused.headers["ratelimit"] in {f'"{each}";r=0;t=60' for each in (name, beside.get(name, name))}


async def test_all_requests_are_counted_in_the_general_class_and_probes_are_not() -> None:
    async with _client("register", quota=50, general=2) as http:
        assert (await http.get("/api/v1/it")).headers["ratelimit"] == '"general";r=1;t=1'
        # An unknown path costs as much as a known one.
        assert (await http.get("/api/v1/nothing")).status_code == 404
        refused = await http.get("/api/v1/it")
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
        assert refused.headers["ratelimit-policy"] == '"general";q=2;w=2'
        probe = await http.get("/health/it")
        assert probe.status_code == 200
        assert "ratelimit" not in probe.headers


async def test_sign_ins_count_where_they_fail() -> None:
    """[30]: what is given back is the success's own."""
    async with _client("login") as http:
        for _ in range(10):
            assert (await http.get("/api/v1/it")).status_code == 200
        for _ in range(3):
            assert (await http.get("/api/v1/it?outcome=wrong")).status_code == 401
        assert (await http.get("/api/v1/it")).status_code == 429


async def test_whoever_is_wrong_about_one_app_keeps_no_other_waiting_until_it_is_too_much_for_the_address() -> None:
    async with _client("token", token_address=5) as http:

        async def status(app: str, outcome: str) -> int:
            return (await http.get(f"/api/v1/it?outcome={outcome}", headers={"x-app": app})).status_code

        assert [await status("a", "wrong") for _ in range(4)] == [401] * 3 + [429]
        assert [await status("b", "fine") for _ in range(10)] == [200] * 10
        assert [await status("b", "wrong") for _ in range(3)] == [401, 401, 429]
        assert await status("c", "fine") == 429


@pytest.mark.parametrize("name", IF_DONE)
@pytest.mark.parametrize("refusal", ["outcome=wrong", "number=x"])
async def test_what_was_refused_is_not_counted_where_only_successes_are(name: ClassName, refusal: str) -> None:
    """By us, or by what checks requests before we see them."""
    async with _client(name) as http:
        for _ in range(10):
            assert (await http.get(f"/api/v1/it?{refusal}")).status_code in {401, 422}
        for _ in range(3):
            assert (await http.get("/api/v1/it")).status_code == 200
        assert (await http.get("/api/v1/it")).status_code == 429


async def test_what_we_had_no_time_for_is_not_counted() -> None:
    async with _client("register") as http:
        for _ in range(10):
            assert (await http.get("/api/v1/it?outcome=full")).status_code == 503
        assert (await http.get("/api/v1/it")).status_code == 200


@pytest.mark.parametrize("name", ["credentials", "export", "admin"])
async def test_what_is_counted_by_user_follows_the_user(name: ClassName) -> None:
    async with _client(name) as http:
        for _ in range(3):
            await http.get("/api/v1/it")
        assert (await http.get("/api/v1/it")).status_code == 429
        assert (await http.get("/api/v1/it", headers={"x-user": "2"})).status_code == 200


async def test_where_nothing_can_be_counted_nothing_is_done() -> None:
    """[32]."""
    async with _client("register", room=0) as http:
        answer = await http.get("/api/v1/it")
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
