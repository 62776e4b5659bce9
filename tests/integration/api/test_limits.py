"""Limits of a real front on requests and guesses (SECURITY.md 23 to 31, 33, 34)."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncGenerator
from itertools import pairwise
from pathlib import Path

import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.limited import (
    FREE,
    LOGIN,
    PROXY,
    REGISTER,
    coming_from,
    guess,
    hashes,
    left,
    limited_front,
)
from tests.integration.api.process import Process
from tests.integration.api.services import GRANT, INTROSPECT, TOKEN, give_token, register_app
from tests.integration.api.users import BASE, PASSWORD, SignedIn, assert_problem, new_email

GENERAL = 100
CHANGE = f"{BASE}/auth/password/change"


@pytest.fixture(scope="module")
async def limited(servers: Instance, logs: Path) -> AsyncGenerator[Process]:
    """The front of this module. What is used up comes back slowly, so that no count depends on how quick a test is."""
    async with limited_front(servers, logs, RATE_LIMIT_TTL="1h", RATE_LIMIT_TOKEN="30/15m") as process:
        yield process


async def _until_refused(http: httpx.AsyncClient, most: int, headers: list[dict[str, str]]) -> httpx.Response:
    """Asks until it is refused, each time with the next of these headers."""
    for number in range(most):
        answer = await http.get(FREE, headers=headers[number % len(headers)])
        if answer.status_code == 429:
            return answer
        assert answer.status_code == 200
    raise AssertionError(f"{most} requests were let through")


async def test_a_client_has_as_many_requests_as_is_said(limited: Process) -> None:
    async with coming_from(limited, "198.51.100.1") as http:
        first = await http.get(FREE)
        assert (left(first), first.headers["ratelimit-policy"]) == (("general", GENERAL - 1), '"general";q=100;w=3600')
        refused = await _until_refused(http, 4 * GENERAL, [{}])
        assert_problem(refused, 429, "rate_limited")
        assert left(refused) == ("general", 0)
        assert int(refused.headers["retry-after"]) >= 1
        # What the process itself is asked, by probes and collectors, is not counted.
        for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json"):
            assert (await http.get(path)).status_code == 200
    async with coming_from(limited, "198.51.100.2") as other:
        assert (await other.get(FREE)).status_code == 200


@pytest.mark.checklist(23)
async def test_who_is_no_proxy_cannot_say_to_be_another(limited: Process) -> None:
    """A new address in each request, from a peer that is not trusted, and through one that is."""
    claims = [{"x-forwarded-for": f"203.0.{number}.1"} for number in range(2 * GENERAL)]
    async with coming_from(limited, "203.0.113.1", peer="127.0.0.2") as http:
        await _until_refused(http, 4 * GENERAL, claims)
    through = [{"x-forwarded-for": f"203.0.{number}.1, 198.51.100.3, {PROXY}"} for number in range(2 * GENERAL)]
    async with coming_from(limited, "198.51.100.3") as http:
        await _until_refused(http, 4 * GENERAL, through)


@pytest.mark.checklist(24)
async def test_what_is_no_address_is_counted_too(limited: Process) -> None:
    """All of it as the proxy's own, one after the other."""
    unreadable = ["a", "", "203.0.113.256", "x" * 10_000, "unknown", "203.0.113.1;", "1" * 60]
    async with coming_from(limited, "nobody") as http:
        counts = [left(await http.get(FREE, headers={"x-forwarded-for": each}))[1] for each in unreadable]
    assert all(later <= earlier for earlier, later in pairwise(counts))
    assert counts[-1] <= GENERAL - len(unreadable)


@pytest.mark.checklist(24, 25)
async def test_forms_of_one_address_are_one_client(limited: Process) -> None:
    async def counted_together(forwarded: str, same: str) -> None:
        async with coming_from(limited, forwarded) as one, coming_from(limited, same) as other:
            assert left(await one.get(FREE))[1] == GENERAL - 1
            assert left(await other.get(FREE))[1] == GENERAL - 2

    await counted_together("fe80:1::7%eth0", "fe80:1::7%lo")
    await counted_together("::ffff:198.51.103.1", "198.51.103.1")


@pytest.mark.checklist(25)
async def test_a_site_of_ipv6_is_one_client(limited: Process) -> None:
    neighbours = [{"x-forwarded-for": f"2001:db8:1:1::{number:x}"} for number in range(300)]
    async with coming_from(limited, "2001:db8:1:1::1") as http:
        await _until_refused(http, 4 * GENERAL, neighbours)
    async with coming_from(limited, "2001:db8:1:2::1") as http:
        assert (await http.get(FREE)).status_code == 200


@pytest.mark.checklist(26)
async def test_other_ways_to_the_same_route(limited: Process) -> None:
    """They lead to the same counter, or nowhere."""
    async with coming_from(limited, "198.51.104.1") as http:
        email = new_email()
        assert left(await guess(http, email)) == ("login", 29)
        body = {"email": email, "password": "wrong wrong wrong"}
        same = await http.post(f"{BASE}/auth%2flogin", json=body)
        assert (same.status_code, left(same)) == (401, ("login", 28))
        for path in (f"{BASE}//auth/login", f"{BASE}/auth//login", f"{LOGIN}/", f"{BASE}/auth/Login"):
            assert (await http.post(path, json=body)).status_code == 404
        for method in ("GET", "HEAD", "OPTIONS", "PUT"):
            assert (await http.request(method, LOGIN)).status_code == 405
        assert left(await guess(http, email)) == ("login", 27)


@pytest.mark.checklist(27)
async def test_other_ways_to_write_an_address(limited: Process) -> None:
    """They are guesses at the same account, from however many places."""
    user = "zoë" + new_email()
    ways = [
        user,
        user.upper(),
        user.title(),
        unicodedata.normalize("NFD", user),
        user.replace("u", "\uff55"),
        f" {user} ",
    ]
    before = await hashes(limited)
    answers = list[httpx.Response]()
    for number in range(30):
        async with coming_from(limited, f"198.51.101.{number}") as http:
            answers.append(await guess(http, ways[number % len(ways)]))
    assert await hashes(limited) - before == 10
    assert {answer.status_code for answer in answers} <= {401, 422, 429}


@pytest.mark.checklist(29)
async def test_guesses_side_by_side_do_not_share_a_place(limited: Process, api: Process) -> None:
    """At two fronts at once, at the account of somebody and at one that nobody has."""
    email, before = new_email(), await hashes(limited) + await hashes(api)
    async with coming_from(limited, "198.51.100.8") as one, coming_from(api, "198.51.100.8") as other:
        answers = await asyncio.gather(*(guess(http, email) for _ in range(50) for http in (one, other)))
    assert await hashes(limited) + await hashes(api) - before == 10
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 90


@pytest.mark.checklist(30)
async def test_one_guess_from_each_of_a_hundred_addresses(limited: Process, user: SignedIn) -> None:
    other, before = new_email(), await hashes(limited)
    for number in range(100):
        async with coming_from(limited, f"192.0.{number}.1") as http:
            await guess(http, user.email)
    assert await hashes(limited) - before == 10
    # A success of another account, from the same places, gives nothing back to this one.
    async with coming_from(limited, "192.0.0.1") as http:
        registered = await http.post(REGISTER, json={"email": other, "password": PASSWORD})
        assert registered.status_code == 201
        assert (await http.post(LOGIN, json={"email": other, "password": PASSWORD})).status_code == 200
        assert_problem(await guess(http, user.email), 429, "rate_limited")


@pytest.mark.checklist(31)
async def test_strangers_do_not_lock_out_the_owner(limited: Process, user: SignedIn) -> None:
    """Who has signed in from a device signs in from it again, whatever was guessed meanwhile; nobody else is told why
    he may not."""
    owner = {"email": user.email, "password": PASSWORD, "deviceId": "9f1c6a52-laptop"}
    async with coming_from(limited, "198.51.100.10") as http:
        assert (await http.post(LOGIN, json=owner)).status_code == 200
    refusals = list[httpx.Response]()
    for number in range(40):
        async with coming_from(limited, f"192.0.{number}.77") as http:
            refusals += await asyncio.gather(*(guess(http, user.email) for _ in range(25)))
    told = {answer.text for answer in refusals if answer.status_code == 429}
    assert len(told) == 1
    assert "lock" not in told.pop().lower()
    assert all(int(answer.headers["retry-after"]) <= 900 for answer in refusals if answer.status_code == 429)
    async with coming_from(limited, "198.51.100.10") as http:
        assert (await http.post(LOGIN, json=owner)).status_code == 200
        # With the right password, but from nowhere known.
        unknown = await http.post(LOGIN, json={**owner, "deviceId": "another"})
        assert_problem(unknown, 429, "rate_limited")


async def test_a_known_account_is_refused_like_an_unknown_one(limited: Process, user: SignedIn) -> None:
    """[22]: byte by byte, up to how long it takes."""
    refused = list[tuple[bytes, list[str]]]()
    for number, email in enumerate((user.email, new_email())):
        async with coming_from(limited, f"198.51.102.{number}") as http:
            while (answer := await guess(http, email)).status_code == 401:
                pass
            assert_problem(answer, 429, "rate_limited")
            assert answer.headers["ratelimit-policy"] == '"account";q=10;w=900'
            refused.append((answer.content, sorted(answer.headers)))
    assert refused[0] == refused[1]


@pytest.mark.checklist(33)
async def test_a_flood_of_sign_ins_is_refused_and_all_else_goes_on(api: Process, http: httpx.AsyncClient) -> None:
    """Half of them go away before they are answered. What waits is bounded; who is one too many is told when to come
    again."""
    email = [new_email() for _ in range(200)]
    tasks = [asyncio.create_task(guess(http, each)) for each in email]
    alive = 0
    while not all(task.done() for task in tasks):
        assert (await http.get("/health/live")).status_code == 200
        alive += 1
        if alive == 3:
            for task in tasks[::2]:
                task.cancel()
        await asyncio.sleep(0.01)
    answers = [task.result() for task in tasks if not task.cancelled()]
    assert alive > 3
    full = [answer for answer in answers if answer.status_code == 503]
    assert full
    assert {answer.status_code for answer in answers} <= {401, 503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in full)
    assert (await guess(http, new_email())).status_code == 401


async def test_a_success_costs_an_office_nothing(limited: Process, user: SignedIn) -> None:
    async with coming_from(limited, "198.51.100.12") as http:
        for _ in range(35):
            answer = await http.post(LOGIN, json={"email": user.email, "password": PASSWORD})
            assert answer.status_code == 200
        assert left(await guess(http, new_email()))[0] == "login"


async def test_changes_of_what_proves_a_user(limited: Process, user: SignedIn) -> None:
    """Each of them sends a mail: from however many places the user does so; what is refused counts for nothing."""
    old, new = PASSWORD, "entirely different staple"
    for number in range(10):
        async with coming_from(limited, f"198.51.106.{number}") as http:
            change = {"currentPassword": old, "newPassword": new}
            wrong = await http.post(CHANGE, json={**change, "currentPassword": "wrong " + old}, headers=user.headers)
            assert_problem(wrong, 403, "forbidden")
            assert (await http.post(CHANGE, json=change, headers=user.headers)).status_code == 200
        old, new = new, old
    async with coming_from(limited, "198.51.106.99") as http:
        for path in (CHANGE, f"{BASE}/auth/two-factor/disable", f"{BASE}/auth/email/change"):
            one_more = await http.post(path, json={}, headers=user.headers)
            assert_problem(one_more, 429, "rate_limited")
            assert left(one_more) == ("credentials", 0)


async def test_registrations_of_one_address(limited: Process, ledger: ScriptedLedger) -> None:
    async with coming_from(limited, "198.51.105.1") as http:
        body = {"password": PASSWORD}
        answers = [await http.post(REGISTER, json={**body, "email": new_email()}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert left(answers[-1]) == ("register", 0)


async def test_wrong_secrets_of_apps_are_few_and_right_ones_cost_nothing(
    limited: Process, owner: asyncpg.Connection
) -> None:
    """[23] [29]: by address and app, at the token's door and at the introspection's together. Other apps behind the
    same address, and the same app elsewhere, do not wait for whoever guesses."""
    app, other = [await register_app(owner, "users:read") for _ in range(2)]

    async with coming_from(limited, "198.51.107.1") as http:
        for _ in range(35):
            await give_token(http, app)
        answers = [
            await http.post(path, data={**GRANT, "token": "x"}, auth=(app.id, "wrong"))
            for path in [TOKEN, INTROSPECT] * 16
        ]
        assert [answer.status_code for answer in answers] == [401] * 30 + [429] * 2
        assert_problem(answers[-1], 429, "rate_limited")
        in_form = {**GRANT, "client_id": app.id, "client_secret": app.secret}
        assert (await http.post(TOKEN, data=GRANT, auth=app.basic)).status_code == 429
        assert (await http.post(TOKEN, data=in_form)).status_code == 429
        await give_token(http, other)
    async with coming_from(limited, "198.51.120.1") as http:
        await give_token(http, app)
