"""Cookie mode: the refresh token in a cookie, for our own pages alone. Numbers: SECURITY.md's checklist.

``Secure`` cookies do not travel over the plain HTTP of these tests by themselves: they are sent by hand.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncGenerator, Mapping
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.authenticator import ANSWER, enrol
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import another_front
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, fields, is_valid

SITE, APP = "https://mana.example.com", "https://app.example.com"
LOGIN, REFRESH, LOGOUT = (f"{BASE}/auth/{name}" for name in ("login", "refresh", "logout"))
OURS = {"x-mana-session": "cookie", "origin": APP, "sec-fetch-site": "same-site"}
REFRESH_COOKIE, DEVICE_COOKIE = "__Host-mana_refresh", "__Host-mana_device"
LIFE = 30 * 86_400


@pytest.fixture(scope="module")
async def site(servers: Instance, logs: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """A front as pages of two origins know it; the client keeps no cookies of its own accord."""
    settings = {"PUBLIC_URL": SITE, "CORS_ORIGINS": APP}
    async with another_front(servers, logs, **settings) as (_, client):
        yield client


def _cookies(answer: httpx.Response) -> dict[str, Morsel[str]]:
    """What the answer sets."""
    jar: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        jar.load(line)
    return dict(jar)


def _with(cookies: Mapping[str, str], headers: Mapping[str, str] = OURS) -> dict[str, str]:
    return {**headers, "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


async def _login(site: httpx.AsyncClient, user: SignedIn, **cookies: str) -> httpx.Response:
    body = {"email": user.email, "password": PASSWORD, "deviceName": "Browser"}
    answer = await site.post(LOGIN, json=body, headers=_with(cookies))
    assert answer.status_code == 200, answer.text
    site.cookies.clear()
    return answer


async def test_a_browsers_session_from_login_to_logout(site: httpx.AsyncClient, user: SignedIn) -> None:
    """[60]."""
    begun = await _login(site, user)
    assert set(begun.json()) == {"user", "accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert begun.json()["refreshToken"] is None
    first = _cookies(begun)[REFRESH_COOKIE]
    assert (first["path"], first["secure"], first["httponly"], first["samesite"], first["domain"]) == (
        "/",
        True,
        True,
        "strict",
        "",
    )
    assert LIFE - 60 < int(first["max-age"]) <= LIFE
    assert first.value not in begun.text

    refreshed = await site.post(REFRESH, headers=_with({REFRESH_COOKIE: first.value}))
    assert (refreshed.status_code, refreshed.json()["refreshToken"]) == (200, None)
    second = _cookies(refreshed)[REFRESH_COOKIE]
    assert second.value != first.value
    assert set(_cookies(refreshed)) == {REFRESH_COOKIE}

    token = refreshed.json()["accessToken"]
    headers = _with({REFRESH_COOKIE: second.value}, {**OURS, "authorization": f"Bearer {token}"})
    ended = await site.post(LOGOUT, headers=headers)
    assert ended.json() == {"success": True}
    assert {name: (cookie.value, cookie["max-age"]) for name, cookie in _cookies(ended).items()} == {
        REFRESH_COOKIE: ("", "0")
    }
    assert not await is_valid(site, token)
    over = await site.post(REFRESH, headers=_with({REFRESH_COOKIE: second.value}))
    assert_problem(over, 401, "unauthorized")
    assert _cookies(over) == {}


async def test_each_login_is_a_new_session(site: httpx.AsyncClient, user: SignedIn) -> None:
    """[60]: whatever cookie came along."""
    first = await _login(site, user)
    again = await _login(site, user, **{REFRESH_COOKIE: _cookies(first)[REFRESH_COOKIE].value})
    assert await is_valid(site, first.json()["accessToken"])
    listed = await site.get(f"{BASE}/auth/sessions", headers={"authorization": f"Bearer {again.json()['accessToken']}"})
    assert len(listed.json()) == 3


async def test_a_lost_answer_and_a_spent_cookie_take_nothing_away(
    site: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[11]: who comes second gets the winner's cookie; a refusal sets none."""
    first = _cookies(await _login(site, user))[REFRESH_COOKIE].value
    answers = [await site.post(REFRESH, headers=_with({REFRESH_COOKIE: first})) for _ in range(2)]
    winner, second = (_cookies(answer)[REFRESH_COOKIE] for answer in answers)
    assert second.value == winner.value
    assert int(second["max-age"]) > 0
    await owner.execute(
        "UPDATE auth.sessions SET rotated_at = now() - interval '11 s' WHERE user_id = $1::text::uuid", user.id
    )
    reused = await site.post(REFRESH, headers=_with({REFRESH_COOKIE: first}))
    assert_problem(reused, 401, "unauthorized")
    assert "set-cookie" not in reused.headers


async def test_a_browser_is_known_again(site: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    """By a cookie that no script reads, and that a wrong password does not give."""
    wrong = await site.post(LOGIN, json={"email": user.email, "password": "wrong " + PASSWORD}, headers=OURS)
    assert "set-cookie" not in wrong.headers
    device = _cookies(await _login(site, user))[DEVICE_COOKIE]
    assert (device["path"], device["secure"], device["httponly"], device["samesite"]) == ("/", True, True, "strict")
    assert int(device["max-age"]) == 180 * 86_400
    again = _cookies(await _login(site, user, **{DEVICE_COOKIE: device.value}))[DEVICE_COOKIE]
    assert again.value == device.value
    known = "SELECT count(*) FROM auth.devices WHERE user_id = $1::text::uuid"
    assert await owner.fetchval(known, user.id) == 1
    made_up = _cookies(await _login(site, user, **{DEVICE_COOKIE: "guess"}))[DEVICE_COOKIE]
    assert made_up.value != "guess"
    body = {"email": user.email, "password": PASSWORD, "deviceId": "mine"}
    assert fields(assert_problem(await site.post(LOGIN, json=body, headers=OURS), 422, "invalid_request")) == [
        "deviceId"
    ]


async def test_a_second_factor_is_answered_by_the_same_browser(
    site: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """[48, 59]: the challenge belongs to the browser that the device's cookie names; tokens come as at login."""
    assert ledger.opens
    enrolled = await enrol(site, owner)
    asked = await _login(site, enrolled.user)
    device = {name: cookie.value for name, cookie in _cookies(asked).items()}
    assert set(device) == {DEVICE_COOKIE}
    body = {"challenge": asked.json()["challenge"], "code": await enrolled.unused_code(owner)}
    assert_problem(await site.post(ANSWER, json=body, headers=OURS), 401, "unauthorized")
    foreign = {**OURS, "origin": "https://evil.com"}
    assert_problem(await site.post(ANSWER, json=body, headers=_with(device, foreign)), 403, "forbidden")
    answered = await site.post(ANSWER, json=body, headers=_with(device))
    assert (answered.status_code, answered.json()["refreshToken"]) == (200, None)
    assert set(_cookies(answered)) == {REFRESH_COOKIE}
    refreshed = await site.post(REFRESH, headers=_with({REFRESH_COOKIE: _cookies(answered)[REFRESH_COOKIE].value}))
    assert refreshed.status_code == 200


_FOREIGN: list[dict[str, Any]] = [
    {},
    {"origin": "https://evil.example.com", "sec-fetch-site": "same-site"},
    {"origin": "https://evil.com", "sec-fetch-site": "cross-site"},
    {"origin": APP, "sec-fetch-site": "cross-site"},
    {"origin": "null"},
    {"sec-fetch-site": "none"},
    {"origin": APP, "sec-fetch-site": "same-site", "content-type": "text/plain"},
    {"origin": APP, "sec-fetch-site": "same-site", "content-type": "application/x-www-form-urlencoded"},
]


@pytest.mark.parametrize("sent", _FOREIGN, ids=str)
async def test_a_page_of_others_does_nothing(site: httpx.AsyncClient, user: SignedIn, sent: dict[str, str]) -> None:
    """[59]: sign-in, refresh and logout alike; the session goes on."""
    begun = await _login(site, user)
    cookie = {REFRESH_COOKIE: _cookies(begun)[REFRESH_COOKIE].value}
    headers = _with(cookie, {"x-mana-session": "cookie", "content-type": "application/json", **sent})
    credentials = {"email": user.email, "password": PASSWORD}
    bearer = {"authorization": f"Bearer {begun.json()['accessToken']}"}
    for path, body, more in ((LOGIN, credentials, {}), (REFRESH, {}, {}), (LOGOUT, {}, bearer)):
        answer = await site.request("POST", path, json=body, headers={**headers, **more})
        assert_problem(answer, 403, "forbidden")
        assert "set-cookie" not in answer.headers
    assert await is_valid(site, begun.json()["accessToken"])
    assert (await site.post(REFRESH, headers=_with(cookie))).status_code == 200


async def test_where_the_refresh_token_may_be(site: httpx.AsyncClient, user: SignedIn) -> None:
    """[59]: a cookie counts only with the header, which no form can send."""
    begun = await _login(site, user)
    cookie = {REFRESH_COOKIE: _cookies(begun)[REFRESH_COOKIE].value}
    assert_problem(await site.post(REFRESH, headers=OURS), 401, "unauthorized")
    assert_problem(await site.post(REFRESH, headers=_with(cookie, {})), 403, "forbidden")
    assert_problem(await site.post(REFRESH, json={}, headers=_with(cookie, {})), 403, "forbidden")
    text = b'{"refreshToken": "x"}'
    plain = await site.post(REFRESH, content=text, headers=_with(cookie, {"content-type": "text/plain"}))
    assert_problem(plain, 403, "forbidden")
    both = await site.post(REFRESH, json={"refreshToken": user.refresh_token}, headers=_with(cookie))
    assert fields(assert_problem(both, 422, "invalid_request")) == ["refreshToken"]
    for body in ({}, {"refreshToken": None}):
        neither = await site.post(REFRESH, json=body)
        assert fields(assert_problem(neither, 422, "invalid_request")) == ["refreshToken"]
    unknown = await site.post(REFRESH, headers={**OURS, "x-mana-session": "tokens"})
    assert fields(assert_problem(unknown, 422, "invalid_request")) == ["X-Mana-Session"]
    own = await site.post(REFRESH, json={"refreshToken": user.refresh_token}, headers=_with(cookie, {}))
    assert own.json()["refreshToken"], "a client with tokens of its own, whatever cookie comes along"
    assert (await site.post(REFRESH, headers=_with(cookie))).status_code == 200


async def test_pages_of_our_origins_alone_may_use_cookies(site: httpx.AsyncClient) -> None:
    """[59]: CORS names one origin, never all."""
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "x-mana-session,content-type"}
    ours = await site.options(REFRESH, headers={"origin": APP, **asks})
    assert ours.headers["access-control-allow-origin"] == APP
    assert ours.headers["access-control-allow-credentials"] == "true"
    assert ours.status_code == 200
    for origin in ("https://evil.com", "null", "https://app.example.com.evil.com"):
        answer = await site.options(REFRESH, headers={"origin": origin, **asks})
        assert_problem(answer, 403, "forbidden")
        assert "access-control-allow-origin" not in answer.headers
        assert "origin" in answer.headers["vary"].lower()
    for wish in ({"access-control-request-method": "PUT"}, {"access-control-request-headers": "x-forwarded-for"}):
        assert_problem(await site.options(REFRESH, headers={"origin": APP, **asks, **wish}), 403, "forbidden")


def _filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


async def test_nothing_of_sign_in_is_cached_or_done_by_get(site: httpx.AsyncClient, user: SignedIn) -> None:
    """[59, 60]: every route there is, answered with success or not. It may delete its user on the way."""
    for answer in (
        await _login(site, user),
        await site.post(REFRESH, json={"refreshToken": user.refresh_token}),
        await site.post(f"{BASE}/auth/validate", json={"token": user.access_token}),
        await site.get(f"{BASE}/auth/sessions", headers=user.headers),
    ):
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    paths: dict[str, dict[str, Any]] = (await site.get("/openapi.json")).json()["paths"]
    routes = {
        path: set(methods) for path, methods in paths.items() if path.startswith((f"{BASE}/auth/", f"{BASE}/admin/"))
    }
    assert routes.pop(f"{BASE}/auth/jwks") == {"get"}
    assert {LOGIN, REFRESH, LOGOUT, f"{BASE}/auth/sessions"} <= set(routes)
    for path, methods in sorted(routes.items()):
        for method, headers in itertools.product(sorted(methods), ({}, user.headers)):
            answer = await site.request(method, _filled(path), headers=headers, json={})
            assert answer.headers["cache-control"] == "no-store", (path, answer.status_code)
        if "get" not in methods:
            assert_problem(await site.get(_filled(path)), 405, "method_not_allowed")
