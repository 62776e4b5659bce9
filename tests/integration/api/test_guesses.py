"""Guesses at a password are counted wherever it can be guessed at; whoever reads the mail begins anew."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, sign_up
from tests.integration.auth.links import newest_link

LOGIN, CHANGE = f"{BASE}/auth/login", f"{BASE}/auth/password/change"
FORGOT, RESET = f"{BASE}/auth/password/forgot", f"{BASE}/auth/password/reset"
NEW = "entirely different staple"
FREE = 10


async def _login(http: httpx.AsyncClient, user: SignedIn, password: str) -> httpx.Response:
    return await http.post(LOGIN, json={"email": user.email, "password": password})


@pytest.mark.checklist(29, 41)
async def test_a_session_does_not_guess_the_password(
    http: httpx.AsyncClient, user: SignedIn, ledger: ScriptedLedger
) -> None:
    """Not even the right one is looked at then; nobody else is held up."""
    assert ledger.opens
    wrong = {"currentPassword": "wrong " + PASSWORD, "newPassword": NEW}
    answers = [await http.post(CHANGE, json=wrong, headers=user.headers) for _ in range(FREE + 1)]
    assert [answer.status_code for answer in answers] == [403] * FREE + [429]
    right = {"currentPassword": PASSWORD, "newPassword": NEW}
    refused = await http.post(CHANGE, json=right, headers=user.headers)
    assert_problem(refused, 429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    other = await sign_up(http)
    assert (await http.post(CHANGE, json=right, headers=other.headers)).status_code == 200
    assert (await _login(http, user, PASSWORD)).status_code == 200


async def test_the_right_password_begins_the_count_anew(http: httpx.AsyncClient, user: SignedIn) -> None:
    for present, next_one in ((PASSWORD, NEW), (NEW, PASSWORD), (PASSWORD, NEW)):
        for _ in range(FREE - 1):
            body = {"currentPassword": "wrong " + PASSWORD, "newPassword": next_one}
            assert (await http.post(CHANGE, json=body, headers=user.headers)).status_code == 403
        body = {"currentPassword": present, "newPassword": next_one}
        assert (await http.post(CHANGE, json=body, headers=user.headers)).status_code == 200


@pytest.mark.checklist(31)
async def test_a_reset_opens_an_account_that_guesses_have_shut(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    for _ in range(FREE):
        assert (await _login(http, user, "wrong " + PASSWORD)).status_code == 401
    assert_problem(await _login(http, user, PASSWORD), 429, "rate_limited")
    await http.post(FORGOT, json={"email": user.email})
    link = await newest_link(owner, "reset_requested", user.email)
    assert (await http.post(RESET, json={"token": link, "newPassword": NEW})).status_code == 200
    assert (await _login(http, user, NEW)).status_code == 200
