"""Register, login, logout, validate, refresh, as the contract says. Numbers in brackets: SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
import secrets
import time
import unicodedata
from collections.abc import Callable

import argon2
import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.limited import hashes
from tests.integration.api.process import Process, another_front
from tests.integration.api.users import (
    BASE,
    PASSWORD,
    SignedIn,
    assert_problem,
    fields,
    is_valid,
    login,
    new_email,
    register,
    sign_up,
)

LONG = " ".join(str(number) for number in range(7919, 8000, 3)).ljust(128, "z")[:128]
"""As long as a password may be, and no repetition."""
EMOJI = "".join(map(chr, range(0x1F600, 0x1F640)))
REGISTER, LOGIN, REFRESH = f"{BASE}/auth/register", f"{BASE}/auth/login", f"{BASE}/auth/refresh"


async def _refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.post(REFRESH, json={"refreshToken": token})


async def test_registration_makes_a_user_and_opens_the_account(http: httpx.AsyncClient, ledger: ScriptedLedger) -> None:
    email = new_email()
    answer = await http.post(REGISTER, json={"email": email, "password": PASSWORD, "name": "Ada"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    user = answer.json()
    assert set(user) == {"id", "email", "name", "role", "emailVerified", "createdAt"}
    assert (user["email"], user["name"], user["role"], user["emailVerified"]) == (email, "Ada", "user", False)
    assert user["createdAt"].endswith("Z")
    (command,) = [body for _, body, _ in ledger.seen if body["userId"] == user["id"]]
    assert command == {"userId": user["id"], "idempotencyKey": "mana:open", "signupBonus": True}


async def test_an_answered_opening_leaves_the_outbox(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid", user.id) == 0


async def test_registration_answers_although_the_ledger_does_not(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    ledger.opens = False
    async with asyncio.timeout(20):
        user = await register(http)
    assert await owner.fetchval("SELECT count(*) FROM auth.outbox WHERE user_id = $1::text::uuid", user["id"]) == 1


@pytest.mark.parametrize(
    "alias",
    [str, str.upper, str.title, "{} ".format, "\t{}".format, "\u00a0{}\n".format],
    ids=["same", "upper", "title", "space", "tab", "others"],
)
async def test_an_address_registers_once_however_it_is_written(
    http: httpx.AsyncClient, user: SignedIn, alias: Callable[[str], str]
) -> None:
    """[27]: space around it is none of it."""
    answer = await http.post(REGISTER, json={"email": alias(user.email), "password": PASSWORD})
    assert_problem(answer, 409, "email_taken")
    assert (await login(http, alias(user.email))).id == user.id
    inside = {"email": user.email.replace("@", " @"), "password": PASSWORD}
    assert_problem(await http.post(REGISTER, json=inside), 422, "invalid_request")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ada{}@bücher.example", "ada{}@xn--bcher-kva.example"),
        ("zoë{}@example.com", "zoe\u0308{}@example.com"),
        ("ada{}@example.com", "\uff41da{}@example.com"),
        ("o\ufb03ce{}@example.com", "office{}@example.com"),
    ],
    ids=["IDN", "decomposed", "full width", "ligature"],
)
async def test_an_address_is_one_in_whichever_letters(
    http: httpx.AsyncClient, ledger: ScriptedLedger, first: str, second: str
) -> None:
    """[27]: one user."""
    number = secrets.token_hex(8)
    await register(http, first.format(number))
    again = await http.post(REGISTER, json={"email": second.format(number), "password": PASSWORD})
    assert_problem(again, 409, "email_taken")


@pytest.mark.own_servers
@pytest.mark.checklist(44)
async def test_an_address_that_is_taken_is_no_error_of_the_databases(
    http: httpx.AsyncClient, user: SignedIn, servers: Instance, owner: asyncpg.Connection
) -> None:
    """Its log, where such errors quote the address for some roles, says nothing of it."""
    log, afterwards = servers.place.logs / "postgres.log", f"after {user.id}"
    before = log.read_text().count("users_email_key")
    assert_problem(await http.post(REGISTER, json={"email": user.email, "password": PASSWORD}), 409, "email_taken")
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await owner.execute(f"SELECT '{afterwards}'::integer")
    async with asyncio.timeout(20):
        while afterwards not in log.read_text():
            await asyncio.sleep(0.05)
    assert log.read_text().count("users_email_key") == before
    assert user.email not in log.read_text()


async def test_twenty_registrations_of_one_address_make_one_user(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """[65] [66]: whose registration was rolled back has neither account nor mail. On a busy machine some wait too long
    for their hash, and are told to come again."""
    body, before = {"email": new_email(), "password": PASSWORD}, len(ledger.seen)
    mails = await owner.fetch("SELECT id FROM auth.mails")
    answers = await asyncio.gather(*(http.post(REGISTER, json=body) for _ in range(20)))
    statuses = [answer.status_code for answer in answers]
    assert {201, 409} <= set(statuses) <= {201, 409, 503}
    (user,) = [answer.json() for answer in answers if answer.status_code == 201]
    assert [command["userId"] for _, command, _ in ledger.seen[before:]] == [user["id"]]
    ordered = await owner.fetch(
        "SELECT kind, user_id::text FROM auth.mails WHERE NOT id = ANY($1)", [mail["id"] for mail in mails]
    )
    assert [tuple(mail) for mail in ordered] == [("verify", user["id"])]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@",
        "@b.com",
        "a@b",
        "a\uff20b.com",
        "a@b@c.com",
        "a@b.com\r\nBcc: c@d.com",
        '"a,b"@x.com',
        "a" * 65 + "@x.com",
    ],
)
async def test_addresses_that_are_none(http: httpx.AsyncClient, email: str) -> None:
    """[28]."""
    answer = await http.post(REGISTER, json={"email": email, "password": PASSWORD})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["email"]


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 129, "é" * 129], ids=len)
async def test_passwords_that_are_too_short_or_long(http: httpx.AsyncClient, password: str) -> None:
    answer = await http.post(REGISTER, json={"email": new_email(), "password": password})
    assert fields(assert_problem(answer, 422, "invalid_request")) == ["password"]


@pytest.mark.parametrize("password", ["twelve chars", LONG, EMOJI, " leading space", LONG[:72] + "tail"])
async def test_passwords_are_taken_whole(http: httpx.AsyncClient, ledger: ScriptedLedger, password: str) -> None:
    """[34, 35]."""
    email = new_email()
    assert (await http.post(REGISTER, json={"email": email, "password": password})).status_code == 201
    assert (await http.post(LOGIN, json={"email": email, "password": password})).status_code == 200
    for other in (password[:-1], "y" + password[1:], password.strip()[:72] + "y"):
        assert (await http.post(LOGIN, json={"email": email, "password": other[:128]})).status_code == 401


async def test_composed_and_decomposed_letters_are_the_same_password(
    http: httpx.AsyncClient, ledger: ScriptedLedger
) -> None:
    """[35]."""
    email, password = new_email(), "zwölf Äpfel éclair"
    composed, decomposed = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert (await http.post(REGISTER, json={"email": email, "password": decomposed})).status_code == 201
    assert (await http.post(LOGIN, json={"email": email, "password": composed})).status_code == 200


async def test_fields_that_nobody_may_set(http: httpx.AsyncClient) -> None:
    """[58]."""
    extra = {"role": "admin", "emailVerified": True, "balance": 5, "id": "x"}
    answer = await http.post(REGISTER, json={"email": new_email(), "password": PASSWORD, **extra})
    assert sorted(fields(assert_problem(answer, 422, "invalid_request"))) == sorted(extra)


async def test_login_gives_tokens_and_remembers_the_device(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[68]: what a terminal would obey is written down harmlessly."""
    body = {"email": user.email, "password": PASSWORD, "deviceId": "d-1", "deviceName": "Ada's phone"}
    answer = await http.post(LOGIN, json=body, headers=[(b"user-agent", b"Agent/1 \x9b[31m")])
    assert answer.status_code == 200
    given = answer.json()
    assert set(given) == {"user", "accessToken", "refreshToken", "expiresIn", "tokenType"}
    assert (given["tokenType"], given["expiresIn"], given["user"]["id"]) == ("Bearer", 900, user.id)
    session = await owner.fetchrow(
        "SELECT * FROM auth.sessions WHERE device_id IS NOT NULL AND user_id = $1::text::uuid", user.id
    )
    assert session is not None
    assert (session["device_name"], str(session["address"]), session["user_agent"]) == (
        "Ada's phone",
        "127.0.0.1",
        "Agent/1 \ufffd[31m",
    )
    noted = "SELECT user_agent FROM auth.security_events WHERE session_id = $1"
    assert await owner.fetchval(noted, session["id"]) == "Agent/1 \ufffd[31m"


async def test_login_does_not_tell_who_exists(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[22]: wrong, unknown, banned and password-less are one answer, in a browser too."""
    banned, bare = await sign_up(http), await sign_up(http)
    await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1::text::uuid", banned.id)
    await owner.execute("DELETE FROM auth.passwords WHERE user_id = $1::text::uuid", bare.id)
    attempts = [
        (user.email, "wrong " + PASSWORD),
        (new_email(), PASSWORD),
        (banned.email, PASSWORD),
        (bare.email, PASSWORD),
    ]
    browser = {"x-mana-session": "cookie", "origin": "http://127.0.0.1:3001", "sec-fetch-site": "same-origin"}
    for headers in ({}, browser):
        answers = [
            await http.post(LOGIN, json={"email": email, "password": password}, headers=headers)
            for email, password in attempts
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert len({_told_by(answer) for answer in answers}) == 1
        assert "set-cookie" not in answers[0].headers


@pytest.mark.slow
async def test_the_time_of_a_refusal_does_not_tell_who_exists(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[21]: of two hundred, by turns, either kind is the slower one about as often. It is the order that is compared,
    not the times: chance alone strays from a half by 0.2 less than once in a hundred thousand runs."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(200):
        known = number % 2 == 0
        body = {"email": user.email if known else new_email(), "password": "wrong " + PASSWORD}
        began = time.perf_counter()
        assert (await http.post(LOGIN, json=body)).status_code == 401
        times[known].append(time.perf_counter() - began)
        await http.post(LOGIN, json={"email": user.email, "password": PASSWORD})
    slower = sum(one > other for one in times[True] for other in times[False])
    assert 0.3 < slower / (100 * 100) < 0.7


def _told_by(answer: httpx.Response) -> tuple[tuple[str, str], ...]:
    """The headers, but for those that differ from one request to the next."""
    changing = {"x-request-id", "date", "ratelimit"}
    return tuple((name, value) for name, value in answer.headers.multi_items() if name not in changing)


async def test_failures_are_noted_without_the_address_of_nobody(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[68]."""
    unknown = new_email()
    for email in (user.email, unknown):
        await http.post(LOGIN, json={"email": email, "password": "wrong wrong wrong"})
    known = "SELECT count(*) FROM auth.security_events WHERE type = 'sign_in.failed' AND user_id = $1::text::uuid"
    assert await owner.fetchval(known, user.id) == 1
    assert (
        await owner.fetchval("SELECT count(*) FROM auth.security_events e WHERE e::text LIKE $1", f"%{unknown}%") == 0
    )
    assert (
        await owner.fetchval(
            "SELECT count(*) > 0 FROM auth.security_events WHERE user_id IS NULL AND subject_hash IS NOT NULL"
        )
        is True
    )


async def test_a_hash_with_old_parameters_is_replaced_at_login(
    http: httpx.AsyncClient, api: Process, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[36]: by three sign-ins at once, and then never again."""

    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await owner.execute("UPDATE auth.passwords SET hash = $2 WHERE user_id = $1::text::uuid", user.id, old)
    await asyncio.gather(*(login(http, user.email) for _ in range(3)))
    new = await owner.fetchval("SELECT hash FROM auth.passwords WHERE user_id = $1::text::uuid", user.id)
    assert "m=19456,t=2,p=1" in str(new)
    before = await hashes(api)
    await login(http, user.email)
    assert await hashes(api) == before + 1, "it is looked at, and not made anew"
    assert await owner.fetchval("SELECT hash FROM auth.passwords WHERE user_id = $1::text::uuid", user.id) == new


async def test_a_hash_that_would_eat_the_memory_is_never_computed(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[36]."""
    hostile = "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    await owner.execute("UPDATE auth.passwords SET hash = $2 WHERE user_id = $1::text::uuid", user.id, hostile)
    answer = await http.post(LOGIN, json={"email": user.email, "password": PASSWORD})
    assert_problem(answer, 401, "unauthorized")


async def test_logout_ends_the_session_everywhere(
    http: httpx.AsyncClient, user: SignedIn, servers: Instance, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """[20]: a second front process learns it from the database."""
    path = f"{BASE}/credits/packages"
    async with another_front(servers, tmp_path_factory.mktemp("second")) as (_, there):
        assert (await there.get(path, headers=user.headers)).status_code == 200
        assert (await http.post(f"{BASE}/auth/logout", headers=user.headers)).json() == {"success": True}
        assert_problem(await http.get(path, headers=user.headers), 401, "unauthorized")
        assert not await is_valid(http, user.access_token)
        async with asyncio.timeout(5):
            while (await there.get(path, headers=user.headers)).status_code != 401:
                await asyncio.sleep(0.02)
        assert not await is_valid(there, user.access_token)
    assert_problem(await _refresh(http, user.refresh_token), 401, "unauthorized")
    assert_problem(await http.post(f"{BASE}/auth/logout", headers=user.headers), 401, "unauthorized")


async def test_an_end_is_heard_although_the_listener_was_cut_off(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, as_api: asyncpg.Connection
) -> None:
    """[20]: while announcements cannot be heard, the database is asked."""
    path = f"{BASE}/credits/packages"
    assert (await http.get(path, headers=user.headers)).status_code == 200
    ended = await as_api.fetch(
        "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mana-api-announcements'"
    )
    left = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY($1))"
    async with asyncio.timeout(20):
        while await as_api.fetchval(left, [row["pid"] for row in ended]):
            await asyncio.sleep(0.01)
    await owner.execute(
        "UPDATE auth.sessions SET ended_at = now(), ended_reason = 'revoked' WHERE user_id = $1::text::uuid", user.id
    )
    await asyncio.sleep(0.1)
    assert_problem(await http.get(path, headers=user.headers), 401, "unauthorized")


async def test_one_session_ends_and_the_other_lives(http: httpx.AsyncClient, user: SignedIn) -> None:
    other = await login(http, user.email)
    await http.post(f"{BASE}/auth/logout", headers=user.headers)
    assert await is_valid(http, other.access_token)
    assert (await _refresh(http, other.refresh_token)).status_code == 200


async def test_validate_tells_what_the_token_says(http: httpx.AsyncClient, user: SignedIn) -> None:
    answer = (await http.post(f"{BASE}/auth/validate", json={"token": user.access_token})).json()
    assert answer["valid"] is True
    assert set(answer["payload"]) == {"sub", "email", "role", "sid", "iss", "aud", "iat", "exp", "jti"}
    assert (answer["payload"]["sub"], answer["payload"]["email"]) == (user.id, user.email)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a\0b", "e30.e30.", "x" * 12_000], ids=len)
async def test_validate_of_anything_not_good(http: httpx.AsyncClient, token: str) -> None:
    answer = await http.post(f"{BASE}/auth/validate", json={"token": token})
    assert (answer.status_code, answer.json()) == (200, {"valid": False, "payload": None})


async def test_refresh_gives_a_new_pair(http: httpx.AsyncClient, user: SignedIn) -> None:
    answer = await _refresh(http, user.refresh_token)
    assert answer.status_code == 200
    pair = answer.json()
    assert pair["refreshToken"] != user.refresh_token
    assert await is_valid(http, pair["accessToken"])
    assert (await _refresh(http, pair["refreshToken"])).status_code == 200


async def test_a_lost_answer_can_be_asked_for_again(http: httpx.AsyncClient, user: SignedIn) -> None:
    """[2, 9]: within the grace the same successor comes, and the chain does not fork."""
    first, again = [(await _refresh(http, user.refresh_token)).json() for _ in range(2)]
    assert first["refreshToken"] == again["refreshToken"]
    assert (await _refresh(http, again["refreshToken"])).status_code == 200


async def test_racing_refreshes_make_one_step(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[1]."""
    answers = await asyncio.gather(*(_refresh(http, user.refresh_token) for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refreshToken"] for answer in answers}) == 1
    assert await owner.fetchval("SELECT generation FROM auth.sessions WHERE user_id = $1::text::uuid", user.id) == 2


@pytest.mark.parametrize("spent", [0, 1])
async def test_the_use_of_a_spent_token_ends_its_session(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, spent: int
) -> None:
    """[3, 4, 7]: three rotations within a second, then one of the older tokens again."""
    tokens = [user.refresh_token]
    for _ in range(3):
        tokens.append((await _refresh(http, tokens[-1])).json()["refreshToken"])
    assert_problem(await _refresh(http, tokens[spent]), 401, "unauthorized")
    assert_problem(await _refresh(http, tokens[-1]), 401, "unauthorized")
    assert not await is_valid(http, user.access_token)
    ended = await owner.fetchrow("SELECT ended_reason FROM auth.sessions WHERE user_id = $1::text::uuid", user.id)
    assert ended is not None
    assert ended["ended_reason"] == "reuse"
    events = "SELECT count(*) FROM auth.security_events WHERE type = 'refresh.reused' AND user_id = $1::text::uuid"
    assert await owner.fetchval(events, user.id) == 1


async def test_a_retry_after_the_grace_ends_the_session(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection
) -> None:
    """[9]."""
    newest = (await _refresh(http, user.refresh_token)).json()["refreshToken"]
    await owner.execute(
        "UPDATE auth.sessions SET rotated_at = now() - interval '11 s' WHERE user_id = $1::text::uuid", user.id
    )
    assert_problem(await _refresh(http, user.refresh_token), 401, "unauthorized")
    assert_problem(await _refresh(http, newest), 401, "unauthorized")


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43, "A" * 42 + "B"])
async def test_unknown_refresh_tokens_change_nothing(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, token: str
) -> None:
    """[5]."""
    before = await owner.fetchval("SELECT count(*) FROM auth.sessions WHERE ended_at IS NOT NULL")
    assert_problem(await _refresh(http, token), 401, "unauthorized")
    assert await owner.fetchval("SELECT count(*) FROM auth.sessions WHERE ended_at IS NOT NULL") == before
    assert await is_valid(http, user.access_token)


@pytest.mark.parametrize("end", ["least(expires_at, created_at + interval '1 microsecond')"])
async def test_a_session_ends_at_its_absolute_limit(
    http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection, end: str
) -> None:
    """[10]."""
    await owner.execute(f"UPDATE auth.sessions SET expires_at = {end} WHERE user_id = $1::text::uuid", user.id)
    assert_problem(await _refresh(http, user.refresh_token), 401, "unauthorized")
    assert not await is_valid(http, user.access_token)


async def test_refresh_against_logout(http: httpx.AsyncClient, ledger: ScriptedLedger) -> None:
    """[6]: whoever wins, afterwards no token of the session works."""
    for _ in range(10):
        user = await sign_up(http)
        refreshed, _ = await asyncio.gather(
            _refresh(http, user.refresh_token), http.post(f"{BASE}/auth/logout", headers=user.headers)
        )
        tokens = [user.refresh_token]
        if refreshed.status_code == 200:
            tokens.append(refreshed.json()["refreshToken"])
            assert not await is_valid(http, refreshed.json()["accessToken"])
        for token in tokens:
            assert_problem(await _refresh(http, token), 401, "unauthorized")
