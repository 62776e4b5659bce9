"""Signing keys in running fronts: what verifiers outside see of them, and that a rotation fails no request. Numbers:
SECURITY.md's checklist."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import jwt
import pytest

from api.auth.key_schedule import LEAD_SECONDS, SETTLED_SECONDS
from ops.instance import Instance
from ops.programs import ProcessSettings, python, run_environment
from tests.e2e import node
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.process import PARTITIONS, another_front
from tests.integration.api.users import BASE, SignedIn, login, sign_up

JS = Path(node.__file__).parent / "js"
JWKS = "/.well-known/jwks.json"
REQUESTS = 2_000
OLDER = "UPDATE auth.signing_keys SET active_from = active_from - $1::text::interval WHERE retired_at IS NULL"


async def _rotate(servers: Instance, *arguments: str) -> str:
    """What an operator is told by ``./mana keys rotate``."""
    own = ProcessSettings(servers.addresses, PARTITIONS).operator("mana_api")
    command = [*python("api.operators.rotate_keys"), *arguments]
    done = await asyncio.create_subprocess_exec(
        *command, env=run_environment(own), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await done.communicate()
    assert done.returncode == 0, said
    return said.decode()


async def _published(http: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    return {key["kid"]: key for key in (await http.get(JWKS)).json()["keys"]}


async def _until_published(kid: str, *doors: httpx.AsyncClient, there: bool = True) -> None:
    async with asyncio.timeout(5):
        for door in doors:
            while (kid in await _published(door)) is not there:
                await asyncio.sleep(0.02)


async def _until_retired(owner: asyncpg.Connection, kid: str) -> None:
    gone = "SELECT sealed_private_key IS NULL FROM auth.signing_keys WHERE kid = $1"
    async with asyncio.timeout(5):
        while not await owner.fetchval(gone, kid):
            await asyncio.sleep(0.02)


def _kid(token: str) -> str:
    return jwt.get_unverified_header(token)["kid"]


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier with its library beside it."""
    copy = tmp_path_factory.mktemp("verifier") / "js"
    shutil.copytree(JS, copy, ignore=shutil.ignore_patterns("node_modules"))
    node.install(copy)
    return copy


async def _verified_by_jose(folder: Path, url: str, algorithm: str, token: str) -> dict[str, Any] | None:
    arguments = [str(node.NODE), "verify.mjs", f"{url}{JWKS}", algorithm, token]
    done = await asyncio.create_subprocess_exec(*arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complaint = await done.communicate()
    assert done.returncode == 0 or b"ERR_J" in complaint, complaint
    return json.loads(said) if done.returncode == 0 else None


def _verified_by_pyjwt(url: str, algorithm: str, token: str) -> dict[str, Any] | None:
    try:
        key = jwt.PyJWKClient(f"{url}{JWKS}").get_signing_key_from_jwt(token)
        return jwt.decode(token, key, [algorithm], audience="mana", issuer="mana")
    except jwt.InvalidTokenError:
        return None


@pytest.mark.parametrize(("algorithm", "other"), [("EdDSA", "RS256"), ("RS256", "EdDSA")])
async def test_others_verify_our_tokens_by_the_published_keys(
    servers: Instance,
    logs: Path,
    ledger: ScriptedLedger,
    owner: asyncpg.Connection,
    javascript: Path,
    algorithm: str,
    other: str,
) -> None:
    """[12]: PyJWT in Python, `jose` in JavaScript; who expects the other algorithm refuses them."""
    try:
        async with another_front(servers, logs, JWT_ALGORITHM=algorithm) as (process, http):
            await owner.execute("UPDATE auth.signing_keys SET active_from = now() WHERE active_from > now()")
            user = await sign_up(http)
            async with asyncio.timeout(10):
                while jwt.get_unverified_header(user.access_token)["alg"] != algorithm:
                    user = await login(http, user.email)
            published = (await _published(http))[_kid(user.access_token)]
            assert (published["alg"], published["use"]) == (algorithm, "sig")
            claims = await asyncio.to_thread(_verified_by_pyjwt, process.url, algorithm, user.access_token)
            assert claims is not None
            assert claims["sub"] == user.id
            assert await _verified_by_jose(javascript, process.url, algorithm, user.access_token) == claims
            assert await asyncio.to_thread(_verified_by_pyjwt, process.url, other, user.access_token) is None
            assert await _verified_by_jose(javascript, process.url, other, user.access_token) is None
            forged = user.access_token[:-8] + "AAAAAAAA"
            assert await _verified_by_jose(javascript, process.url, algorithm, forged) is None
    finally:
        await owner.execute("DELETE FROM auth.signing_keys WHERE algorithm = 'RS256'")


async def test_a_rotation_fails_no_request(
    servers: Instance, logs: Path, http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """[18]: announced, in force, the old one retired, while two fronts are asked about tokens of both keys."""
    email = (await sign_up(http)).email
    async with another_front(servers, logs) as (_, second):
        doors = itertools.cycle([http, second])
        first = [await login(next(doors), email) for _ in range(4)]
        old = _kid(first[0].access_token)
        failed: list[httpx.Response] = []
        numbers, seen, rotated = itertools.count(), {old}, asyncio.Event()

        async def ask(user: SignedIn) -> None:
            tokens, refresh_token = [user.access_token], user.refresh_token
            while (number := next(numbers)) < REQUESTS or not rotated.is_set():
                door, token = next(doors), tokens[number % len(tokens)]
                match number % 3:
                    case 0:
                        answer = await door.post(f"{BASE}/auth/validate", json={"token": token})
                        good = answer.status_code == 200 and answer.json()["valid"]
                    case 1:
                        headers = {"authorization": f"Bearer {token}"}
                        answer = await door.get(f"{BASE}/credits/packages", headers=headers)
                        good = answer.status_code == 200
                    case _:
                        answer = await door.post(f"{BASE}/auth/refresh", json={"refreshToken": refresh_token})
                        good = answer.status_code == 200
                        tokens.append(answer.json()["accessToken"])
                        refresh_token = answer.json()["refreshToken"]
                        seen.add(_kid(tokens[-1]))
                if not good:
                    failed.append(answer)

        async def rotate() -> str:
            new = (await _rotate(servers)).split()[1]
            await _until_published(new, http, second)
            assert seen == {old}
            await owner.execute(OLDER, f"{LEAD_SECONDS} s")
            async with asyncio.timeout(30):
                while new not in seen:
                    await asyncio.sleep(0.02)
            await owner.execute(OLDER, f"{SETTLED_SECONDS + 1} s")
            await _until_retired(owner, old)
            rotated.set()
            return new

        new, *_ = await asyncio.gather(rotate(), *(ask(user) for user in first))
        assert failed == []
        assert seen == {old, new}
        await _until_published(old, http, second)
        after = await login(second, email)
        assert _kid(after.access_token) == new


async def test_tokens_of_a_stolen_key_are_refused_in_every_front(
    servers: Instance, logs: Path, http: httpx.AsyncClient, user: SignedIn
) -> None:
    """[20]: in both fronts, which have verified them before; their owners refresh and go on."""
    path = f"{BASE}/credits/packages"
    async with another_front(servers, logs) as (_, second):
        for door in (http, second):
            assert (await door.get(path, headers=user.headers)).status_code == 200
        said = await _rotate(servers, "--compromised")
        async with asyncio.timeout(5):
            for door in (http, second):
                while (await door.get(path, headers=user.headers)).status_code != 401:
                    await asyncio.sleep(0.02)
        refreshed = await second.post(f"{BASE}/auth/refresh", json={"refreshToken": user.refresh_token})
        token = refreshed.json()["accessToken"]
        assert _kid(token) == said.split()[1]
        for door in (http, second):
            assert (await door.get(path, headers={"authorization": f"Bearer {token}"})).status_code == 200
            assert set(await _published(door)) == {_kid(token)}


async def test_how_long_nobody_looked_at_the_keys_is_shown(http: httpx.AsyncClient) -> None:
    """[17]: what an alert watches."""
    lines = dict(line.rsplit(" ", 1) for line in (await http.get("/metrics")).text.splitlines() if line[0] != "#")
    assert 0 <= float(lines["mana_keys_age_seconds"]) < 120
    assert float(lines["mana_keys_look_failures_total"]) == 0
