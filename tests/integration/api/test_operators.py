"""The operator's programs: the first administrator, and users of another system."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import argon2
import asyncpg
import httpx
import pytest

from ops.instance import Instance
from tests.integration.api.authenticator import verify_address
from tests.integration.api.operators import launch, operate, operating
from tests.integration.api.process import Process
from tests.integration.api.users import BASE, PASSWORD, assert_problem, login, new_email, sign_up

LINES = 1_300
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
_OF_FILE = """
SELECT line, opened, imports.balance, balances.balance AS kept
FROM auth.imports JOIN auth.users ON users.id = imports.user_id
LEFT JOIN credits.balances ON balances.account_id = imports.user_id
WHERE email LIKE $1
"""
_IMPORTS = "FROM pg_stat_activity WHERE application_name = 'mana-import-users'"


@pytest.fixture
async def blocker(servers: Instance) -> AsyncGenerator[asyncpg.Connection]:
    """Another connection of the owner's, which holds what others wait for."""
    connection = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    yield connection
    await connection.close()


async def _sign_in(http: httpx.AsyncClient, email: str, password: str) -> httpx.Response:
    return await http.post(f"{BASE}/auth/login", json={"email": email, "password": password})


async def test_the_first_administrator(http: httpx.AsyncClient, servers: Instance, owner: asyncpg.Connection) -> None:
    email = new_email()
    made = await operate(servers, "create_admin", email.upper())
    assert made.status == 0, made.errors
    password = made.output.split()[-1]
    granted = await _sign_in(http, email, password)
    assert granted.status_code == 200, granted.text
    headers = {"authorization": f"Bearer {granted.json()['accessToken']}"}
    user_id = granted.json()["user"]["id"]
    shown = (await http.get(f"{BASE}/admin/users/{user_id}", headers=headers)).json()
    assert (shown["role"], shown["emailVerified"]) == ("admin", True)
    events = (await http.get(f"{BASE}/admin/events?type=admin.created&userId={user_id}", headers=headers)).json()
    assert [event["details"] for event in events] == [{"by": "operator"}]
    waiting = await owner.fetch("SELECT command FROM auth.outbox WHERE user_id = $1", UUID(user_id))
    assert [row["command"] for row in waiting] == ["account.open"]

    again = await launch(servers, "admin", "create", email)
    assert (again.status, "nothing was changed" in again.output) == (0, True)
    assert (await _sign_in(http, email, password)).status_code == 200


async def test_an_address_that_somebody_took_before(
    http: httpx.AsyncClient, servers: Instance, owner: asyncpg.Connection, running_worker: Process
) -> None:
    """[52]: whoever registers with the future administrator's address has nothing of it."""
    squatter = await sign_up(http)
    await owner.execute(
        "INSERT INTO auth.two_factor_auth (user_id, sealed_secret, enabled_at) VALUES ($1, 'x', now())",
        UUID(squatter.id),
    )
    made = await operate(servers, "create_admin", squatter.email)
    assert made.status == 0, made.errors
    assert_problem(await _sign_in(http, squatter.email, PASSWORD), 401, "unauthorized")
    refreshed = await http.post(f"{BASE}/auth/refresh", json={"refreshToken": squatter.refresh_token})
    assert_problem(refreshed, 401, "unauthorized")
    granted = await _sign_in(http, squatter.email, made.output.split()[-1])
    assert granted.json()["user"]["role"] == "admin"
    assert await owner.fetch("SELECT 1 FROM auth.two_factor_auth WHERE user_id = $1", UUID(squatter.id)) == []


async def test_who_has_proven_the_address_keeps_the_password(
    http: httpx.AsyncClient, servers: Instance, owner: asyncpg.Connection, running_worker: Process
) -> None:
    user = await sign_up(http)
    await verify_address(owner, user)
    made = await operate(servers, "create_admin", user.email)
    assert made.status == 0, made.errors
    assert_problem(await http.get(f"{BASE}/credits/lots", headers=user.headers), 401, "unauthorized")
    back = await login(http, user.email)
    assert (await http.get(f"{BASE}/admin/users?limit=1", headers=back.headers)).status_code == 200

    await owner.execute("UPDATE auth.users SET banned_at = now() WHERE id = $1", UUID(user.id))
    refused = await operate(servers, "create_admin", user.email)
    assert (refused.status, refused.output, "banned" in refused.errors) == (1, "", True)


@pytest.mark.parametrize("words", [["no address"], [], ["a@b.example", "c@b.example"]])
async def test_what_makes_no_administrator(servers: Instance, words: list[str]) -> None:
    said = await operate(servers, "create_admin", *words)
    assert (said.status, said.output) == (2, "")
    assert "Traceback" not in said.errors


def _lines(name: str, taken: str) -> list[dict[str, Any]]:
    """Most are good; lines 7, 8 and 1100 are not."""
    lines: list[dict[str, Any]] = [
        {
            "email": f"{name}.{number}@example.com",
            "name": f"User {number}",
            "hash": HASH,
            "verified": number % 2 == 0,
            "balance": number % 5,
        }
        for number in range(1, LINES + 1)
    ]
    lines[6]["hash"] = "5f4dcc3b5aa765d61d8327deb882cf99"
    lines[7]["email"] = taken
    lines[1099]["email"] = f"{name}.1@EXAMPLE.com"
    return lines


async def _until_stuck(owner: asyncpg.Connection) -> None:
    async with asyncio.timeout(30):
        while not await owner.fetchval(f"SELECT bool_or(wait_event_type = 'Lock') {_IMPORTS}"):
            await asyncio.sleep(0.1)


async def _kill(owner: asyncpg.Connection, child: asyncio.subprocess.Process) -> None:
    child.kill()
    async with asyncio.timeout(30):
        while await owner.fetch(f"SELECT 1 {_IMPORTS}"):
            await asyncio.sleep(0.1)


async def test_an_import_that_is_killed_twice_goes_on_to_its_end(
    http: httpx.AsyncClient,
    servers: Instance,
    owner: asyncpg.Connection,
    blocker: asyncpg.Connection,
    running_worker: Process,
    tmp_path: Path,
) -> None:
    """Once between two batches of users, once when the accounts' commands are sent and not yet marked."""
    name, taken = new_email().partition("@")[0], (await sign_up(http)).email
    file = tmp_path / "users.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in _lines(name, taken)))
    async with blocker.transaction():
        await blocker.execute(
            "INSERT INTO auth.users (id, email, email_key) VALUES (gen_random_uuid(), $1, $1)",
            f"{name}.1200@example.com",
        )
        async with operating(servers, "import_users", str(file)) as child:
            await _until_stuck(owner)
            other = await operate(servers, "import_users", str(file))
            assert (other.status, "Another import" in other.errors) == (1, True)
            await _kill(owner, child)
        await blocker.execute("DELETE FROM auth.users WHERE email = $1", f"{name}.1200@example.com")
    assert len(await owner.fetch(_OF_FILE, f"{name}.%")) == 998, "the first thousand lines but two"

    async with blocker.transaction():
        await blocker.fetch(f"{_OF_FILE} FOR UPDATE OF imports", f"{name}.%")
        async with operating(servers, "import_users", str(file)) as child:
            await _until_stuck(owner)
            await _kill(owner, child)
    assert not any(row["opened"] for row in await owner.fetch(_OF_FILE, f"{name}.%"))

    whole = await operate(servers, "import_users", str(file))
    assert whole.status == 0, whole.errors
    good = LINES - 3
    assert whole.output.startswith(f"0 users imported, {good} before, {good} accounts opened, 3 lines rejected")
    await _until_credited(owner, name, good)
    await _hold_what_the_file_says(owner, name)
    rejected = file.with_name("users.jsonl.rejected.jsonl")
    assert [json.loads(line)["line"] for line in rejected.read_text().splitlines()] == [7, 8, 1100]
    assert "5f4dcc3b" not in rejected.read_text()
    assert rejected.stat().st_mode & 0o077 == 0

    user = await login(http, f"{name}.4@example.com")
    balance = (await http.get(f"{BASE}/credits/balance", headers=user.headers)).json()
    assert (balance["balance"], balance["freeCreditsRemaining"]) == (4, 0)
    replaced = await owner.fetchval("SELECT hash FROM auth.passwords WHERE user_id = $1", UUID(user.id))
    assert replaced != HASH, "by one of today's parameters"
    finished = await operate(servers, "import_users", str(file))
    assert finished.output.startswith(f"0 users imported, {good} before, 0 accounts opened, 3 lines rejected")


async def _until_credited(owner: asyncpg.Connection, name: str, count: int) -> None:
    """Until the worker has done what was queued: each account open, each balance there."""
    async with asyncio.timeout(60):
        while [row["balance"] == row["kept"] for row in await owner.fetch(_OF_FILE, f"{name}.%")] != [True] * count:
            await asyncio.sleep(0.2)


async def _hold_what_the_file_says(owner: asyncpg.Connection, name: str) -> None:
    """Each user is there once, with one adjustment at most, for all that was sent twice."""
    rows = await owner.fetch(
        "SELECT split_part(split_part(email, '@', 1), '.', 2)::int AS line, name, email_verified, hash,"
        " (SELECT count(*) FROM credits.transactions WHERE account_id = users.id) AS transactions,"
        " (SELECT count(*) FROM auth.security_events WHERE user_id = users.id AND type = 'user.imported') AS events"
        " FROM auth.users JOIN auth.passwords ON user_id = users.id WHERE email LIKE $1 ORDER BY line",
        f"{name}.%",
    )
    expected = [
        (line, f"User {line}", line % 2 == 0, HASH, int(line % 5 > 0), 1)
        for line in range(1, LINES + 1)
        if line not in (7, 8, 1100)
    ]
    assert [tuple(row) for row in rows] == expected


@pytest.mark.checklist(44)
async def test_an_import_that_the_database_refuses_quotes_no_line(
    servers: Instance, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """The owner, whom no row-level security binds, is told the whole row by the database."""
    email, file = new_email(), tmp_path / "users.jsonl"
    file.write_text(json.dumps({"email": email, "name": "canary name", "hash": HASH}) + "\n")
    await owner.execute("ALTER TABLE auth.users ADD CONSTRAINT no_canary CHECK (name <> 'canary name') NOT VALID")
    try:
        said = await operate(servers, "import_users", str(file))
    finally:
        await owner.execute("ALTER TABLE auth.users DROP CONSTRAINT no_canary")
    assert said.status == 1
    assert "SQLSTATE 23514, constraint no_canary" in said.errors
    assert [quoted for quoted in (email, "canary name", HASH) if quoted in said.errors] == []


async def test_a_spreadsheet_and_the_signup_bonus(
    http: httpx.AsyncClient, servers: Instance, owner: asyncpg.Connection, running_worker: Process, tmp_path: Path
) -> None:
    email, other = new_email(), new_email()
    file = tmp_path / "USERS.CSV"
    file.write_text(f'Email,Name,Hash,Verified,Balance\n{email},"Ada, Countess","{HASH}",true,5\n{other},,,,\n')
    said = await launch(servers, "users", "import", str(file), "--signup-bonus")
    assert (said.status, said.output) == (0, "2 users imported, 2 accounts opened.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["USERS.CSV"]
    user = await login(http, email)
    async with asyncio.timeout(20):
        while (await http.get(f"{BASE}/credits/balance", headers=user.headers)).json().get("balance") != 5:
            await asyncio.sleep(0.1)
    balance = (await http.get(f"{BASE}/credits/balance", headers=user.headers)).json()
    assert balance["freeCreditsRemaining"] == 150
    row = await owner.fetchrow("SELECT name, email_verified FROM auth.users WHERE id = $1", UUID(user.id))
    assert tuple(row or ()) == ("Ada, Countess", True)
    assert_problem(await _sign_in(http, other, PASSWORD), 401, "unauthorized")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("users.txt", "", []),
        ("users.csv", "name\nAda\n", []),
        ("missing.jsonl", None, []),
        ("users.jsonl", "", ["--x"]),
    ],
)
async def test_what_is_no_import(
    servers: Instance, tmp_path: Path, name: str, content: str | None, words: list[str]
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content)
    said = await operate(servers, "import_users", str(file), *words)
    assert (said.status, said.output) == (2, "")
    assert "Traceback" not in said.errors
    assert not file.with_name(f"{name}.rejected.jsonl").exists()
