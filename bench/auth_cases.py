"""What `bench auth` measures: loads over HTTP, and the parts of their work by themselves."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, cycle, islice
from typing import Any, Final
from uuid import UUID

import argon2
import asyncpg
import jwt
import uuid_utils

from api.auth.hashing import MEMORY_KIB, ROUNDS
from api.auth.keys import SigningKey
from api.auth.keystore import KeyStore
from api.auth.refresh_tokens import RefreshToken
from api.database import Database
from bench.alone import in_a_row, side_by_side
from bench.course import Measured
from bench.errors import BenchError
from bench.http import HttpLoad, HttpLoop, request
from bench.signed_in import SignedIn
from contracts.topology import PARTITIONS_DEFAULT
from ops.instance import Instance
from ops.programs import ProcessSettings

ARGON2: Final = "Argon2id alone"
LOGIN: Final = "POST /auth/login"
BALANCE: Final = "GET /credits/balance"
LOGIN_BESIDE: Final = "login beside balances"
BALANCE_BESIDE: Final = "balance beside logins"
LOGIN_CROWDED: Final = "login, both crowding"
BALANCE_CROWDED: Final = "balance, both crowding"
VALIDATE_KNOWN: Final = "POST /auth/validate, seen"
VALIDATE: Final = "POST /auth/validate, new"
REFRESH: Final = "POST /auth/refresh"
CHECK: Final = "a signature checked"
READ: Final = "a row read"
SIGN: Final = "a signature made"
WRITE: Final = "a row read, one updated"

BALANCES_LEAST: Final = 0.5
"""The share of its undisturbed rate that a free core must give to readers, whatever signs in."""
_ASKED: Final = 1.1
"""Times that rate which readers ask for: what they get can be more than what they must."""
_LOGIN_PATH: Final = "/api/v1/auth/login"
_NEW_TOKENS_PER_SECOND: Final = 2_000
"""Made beforehand: more than are asked for. Where they do not suffice, further ones are made meanwhile."""
_READ: Final = "SELECT ended_at IS NULL AND expires_at > clock_timestamp() FROM auth.sessions WHERE id = $1"
_FIND: Final = "SELECT session_id FROM auth.refresh_tokens WHERE token_hash = $1"
_UPDATE: Final = "UPDATE auth.sessions SET last_active_at = clock_timestamp() WHERE id = $1"

Around = Callable[[], None]
Measuring = Callable[[Around], Awaitable[dict[str, Measured]]]
"""Measures one case, or several at once, by name."""


def per_free_core(rate: float, cores: int, threads: int) -> float:
    """What of a rate of the whole machine falls to the cores on which no hash is computed.

    The rate is that of everything together: front, servers, and the load generator, which shares the cores. Those that
    are free have to do for all of it again, and for what a sign-in needs besides its hash.
    """
    return rate / cores * (cores - threads)


@dataclass(frozen=True)
class Options:
    """``seconds`` are measured for each case of each round, after a second at most of warming up; ``threads`` hash,
    in the front and by themselves; ``logins`` are under way for each thread, and ``connections`` carry the rest."""

    rounds: int
    seconds: float
    users: int
    threads: int
    logins: int
    connections: int

    @property
    def warm_up(self) -> float:
        """In seconds."""
        return min(1.0, self.seconds)

    @property
    def logins_at_once(self) -> int:
        """Enough that no thread waits for the next password, and so few that none waits long for a thread."""
        return self.threads * self.logins


class AuthCases:
    """The cases, over users who are signed in; refresh tokens go on from round to round."""

    def __init__(self, url: str, users: list[SignedIn], options: Options, key: SigningKey, pool: asyncpg.Pool) -> None:
        self._url = url
        self._users = users
        self._options = options
        self._key = key
        self._pool = pool
        self._refresh_tokens = deque(user.refresh_token for user in users)
        self._claims = [_claims(user.token) for user in users]
        self._logins = cycle([request("POST", _LOGIN_PATH, body=_json(user.credentials)) for user in users])
        self._balances = cycle([request("GET", "/api/v1/credits/balance", user.token) for user in users])
        self._undisturbed = 0.0

    @classmethod
    @asynccontextmanager
    async def connected(cls, instance: Instance, users: list[SignedIn], options: Options) -> AsyncGenerator[AuthCases]:
        """With the key that the front signs with, and as many connections to the database as a front has."""
        front = ProcessSettings(instance.addresses, PARTITIONS_DEFAULT).api()
        async with Database.connected(front["DATABASE_URL"], 1, "bench") as database:
            keys = (await KeyStore(database, base64.b64decode(front["MANA_SECRET_KEY"])).load()).keys
        signing = [stored.signing for stored in keys if stored.signing is not None]
        if len(signing) != 1:
            raise BenchError(f"there are {len(signing)} keys to sign with, and one was to be measured")
        size = int(os.environ.get("DATABASE_POOL_SIZE") or 8)
        async with asyncpg.create_pool(instance.env["MANA_DATABASE_OWNER_URL"], min_size=size, max_size=size) as pool:
            yield cls(instance.env["MANA_API_URL"], users, options, signing[0], pool)

    def of_a_round(self) -> Iterator[Measuring]:
        """Each part is measured beside what it is a part of."""
        known = cycle([_validate(user.token) for user in self._users])
        logins = self._load(self._logins, at_once=self._options.logins_at_once)
        yield self._argon2
        yield _http(self._url, {LOGIN: logins})
        yield self._balances_alone
        yield self._both
        yield _http(self._url, {LOGIN_CROWDED: logins, BALANCE_CROWDED: self._load(self._balances)})
        yield self._in_a_row(CHECK, partial(_check, self._users[0].token, self._key))
        yield self._side_by_side(READ, self._reading())
        yield _http(self._url, {VALIDATE_KNOWN: self._load(known)})
        yield _http(self._url, {VALIDATE: self._load(self._new_tokens())})
        yield self._in_a_row(SIGN, partial(next, _tokens(self._claims, self._key)))
        yield self._side_by_side(WRITE, self._writing())
        yield _http(self._url, {REFRESH: replace(self._load(self._refreshes()), on_answer=self._keep)})

    def _load(self, requests: Iterator[bytes], at_once: int | None = None) -> HttpLoad:
        options = self._options
        return HttpLoad(at_once or options.connections, requests, options.seconds, options.warm_up)

    async def _argon2(self, around: Around) -> dict[str, Measured]:
        """As many threads as the front's, which never wait for the next password."""
        hasher = argon2.PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=1)
        password = self._users[0].credentials["password"]
        check = partial(hasher.verify, hasher.hash(password), password)
        options = self._options
        with ThreadPoolExecutor(options.threads) as executor:
            work = partial(asyncio.get_running_loop().run_in_executor, executor, check)
            return {
                ARGON2: await side_by_side(work, 2 * options.threads, options.seconds, around, warm_up=options.warm_up)
            }

    async def _balances_alone(self, around: Around) -> dict[str, Measured]:
        measured = await _http(self._url, {BALANCE: self._load(self._balances)})(around)
        self._undisturbed = measured[BALANCE].per_second
        return measured

    async def _both(self, around: Around) -> dict[str, Measured]:
        """As many balances as must be had, and a little more."""
        options = self._options
        share = per_free_core(self._undisturbed, len(os.sched_getaffinity(0)), options.threads)
        logins = self._load(self._logins, at_once=options.logins_at_once)
        # Without a free core they are still asked for, at a rate that shows how long they take.
        balances = replace(self._load(self._balances), per_second=max(10.0, _ASKED * BALANCES_LEAST * share))
        return await _http(self._url, {LOGIN_BESIDE: logins, BALANCE_BESIDE: balances})(around)

    def _in_a_row(self, name: str, work: Callable[[], object]) -> Measuring:
        async def measure(around: Around) -> dict[str, Measured]:
            return {name: in_a_row(work, self._options.seconds, around)}

        return measure

    def _side_by_side(self, name: str, work: Callable[[], Awaitable[object]]) -> Measuring:
        async def measure(around: Around) -> dict[str, Measured]:
            options = self._options
            return {
                name: await side_by_side(work, options.connections, options.seconds, around, warm_up=options.warm_up)
            }

        return measure

    def _new_tokens(self) -> Iterator[bytes]:
        made = map(_validate, _tokens(self._claims, self._key))
        return chain(list(islice(made, int(_NEW_TOKENS_PER_SECOND * (1 + self._options.seconds)))), made)

    def _refreshes(self) -> Iterator[bytes]:
        while True:
            token = self._refresh_tokens.popleft()
            yield request("POST", "/api/v1/auth/refresh", body=_json({"refreshToken": token}))

    def _keep(self, answer: bytes) -> None:
        """A refreshed session waits for its next turn."""
        self._refresh_tokens.append(json.loads(answer)["refreshToken"])

    def _reading(self) -> Callable[[], Awaitable[object]]:
        sessions = cycle([UUID(claims["sid"]) for claims in self._claims])

        async def read() -> None:
            async with self._pool.acquire() as connection:
                if not await connection.fetchval(_READ, next(sessions)):
                    raise BenchError("a session that was to be read does not live")

        return read

    def _writing(self) -> Callable[[], Awaitable[object]]:
        hashes = cycle([token.hash for token in map(RefreshToken.parse, self._refresh_tokens) if token is not None])

        async def write() -> None:
            async with self._pool.acquire() as connection, connection.transaction():
                session = await connection.fetchval(_FIND, next(hashes))
                if await connection.execute(_UPDATE, session) != "UPDATE 1":
                    raise BenchError("a session that was to be updated is not there")

        return write


def _http(url: str, loads: Mapping[str, HttpLoad]) -> Measuring:
    async def measure(around: Around) -> dict[str, Measured]:
        """All at once: ``around`` is called for the last one alone."""
        told = dict.fromkeys(loads, _nobody) | {list(loads)[-1]: around}
        measured = await asyncio.gather(*(HttpLoop(load).measure(url, told[name]) for name, load in loads.items()))
        return dict(zip(loads, measured, strict=True))

    return measure


def _nobody() -> None:
    """For all but one of those that are measured at once."""


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def _validate(token: str) -> bytes:
    return request("POST", "/api/v1/auth/validate", body=_json({"token": token}))


def _claims(token: str) -> dict[str, Any]:
    """Of a token that the front itself has just given."""
    return jwt.decode(token, options={"verify_signature": False})


def _tokens(claims: list[dict[str, Any]], key: SigningKey) -> Iterator[str]:
    """Tokens that nobody has seen before, of sessions that live."""
    header = {"kid": key.kid, "typ": "at+jwt"}
    for each in cycle(claims):
        yield jwt.encode({**each, "jti": str(uuid_utils.uuid7())}, key.private, key.algorithm, header)


def _check(token: str, key: SigningKey) -> None:
    """By PyJWT, as the front does."""
    jwt.decode(token, key.public, algorithms=[key.algorithm], options={"verify_aud": False})
