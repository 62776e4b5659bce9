"""Users with a second factor, and what their authenticators show. Codes are another implementation's."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from pyotp.totp import TOTP

from tests.integration.api.users import BASE, PASSWORD, SignedIn, sign_up
from tests.integration.auth.rows import new_id, prove_address

ANSWER = f"{BASE}/auth/login/two-factor"
SETUP, ENABLE, DISABLE, RENEW = (
    f"{BASE}/auth/two-factor/{act}" for act in ("setup", "enable", "disable", "recovery-codes")
)


@dataclass(frozen=True)
class Enrolled:
    """A user whose second factor is on, with the session that turned it on."""

    user: SignedIn
    totp: TOTP
    confirmed_by: str = ""
    recovery_codes: list[str] = field(default_factory=list[str])

    async def unused_code(self, owner: asyncpg.Connection) -> str:
        """The present code, of which the database is made to forget that it was used."""
        await owner.execute("UPDATE auth.two_factor_auth SET last_step = 0 WHERE user_id = $1", UUID(self.user.id))
        return self.totp.now()

    def wrong_code(self) -> str:
        """Six digits that are good neither now nor some steps before or after."""
        now = int(time.time())
        good = {self.totp.at(now + 30 * away) for away in range(-3, 4)}
        return next(code for number in range(8) if (code := f"{number:06}") not in good)


async def verify_address(owner: asyncpg.Connection, user: SignedIn) -> None:
    """As if the link of a mail had been used."""
    await prove_address(owner, UUID(user.id))


async def age_sessions(owner: asyncpg.Connection, user: SignedIn) -> None:
    """The user's sessions began longer ago than what counts as recent."""
    await owner.execute(
        "UPDATE auth.sessions SET created_at = now() - interval '11 min', authenticated_at = NULL WHERE user_id = $1",
        UUID(user.id),
    )


async def enrol(http: httpx.AsyncClient, owner: asyncpg.Connection) -> Enrolled:
    """A new user who turns a second factor on."""
    user = await sign_up(http)
    await verify_address(owner, user)
    made = await http.post(SETUP, headers=user.headers)
    assert made.status_code == 200, made.text
    totp = TOTP(made.json()["secret"])
    code = totp.now()
    enabled = await http.post(ENABLE, json={"code": code}, headers=user.headers)
    assert enabled.status_code == 200, enabled.text
    return Enrolled(user, totp, code, enabled.json()["recoveryCodes"])


async def challenge(http: httpx.AsyncClient, email: str, **device: str) -> str:
    """What a right password gives."""
    body = {"email": email, "password": PASSWORD, **device}
    answer = await http.post(f"{BASE}/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    given = answer.json()
    assert set(given) == {"twoFactorRequired", "challenge"}
    assert given["twoFactorRequired"] is True
    return given["challenge"]


async def answer(http: httpx.AsyncClient, given: str, **body: Any) -> httpx.Response:
    """An answer to a challenge."""
    return await http.post(ANSWER, json={"challenge": given, **body})


async def add_challenges(owner: asyncpg.Connection, user: SignedIn, count: int) -> list[str]:
    """Challenges side by side, which no user has: each sign-in voids the one of before."""
    given = [secrets.token_urlsafe(32) for _ in range(count)]
    await owner.executemany(
        "INSERT INTO auth.verification_tokens (id, user_id, purpose, token_hash, expires_at, credential_epoch)"
        " SELECT $1, id, 'two_factor', $3, now() + interval '5 min', credential_epoch FROM auth.users WHERE id = $2",
        [(new_id(), UUID(user.id), hashlib.sha256(token.encode()).digest()) for token in given],
    )
    return given


async def events(owner: asyncpg.Connection, user: SignedIn, prefix: str) -> list[str]:
    """Security events of the user's of the kinds that begin so."""
    rows = await owner.fetch(
        "SELECT type FROM auth.security_events WHERE user_id = $1 AND type ^@ $2 ORDER BY id", UUID(user.id), prefix
    )
    return [row["type"] for row in rows]


async def notices(owner: asyncpg.Connection, user: SignedIn) -> list[str]:
    """Mails about the second factor that were ordered for the user's address of that moment."""
    rows = await owner.fetch(
        "SELECT kind FROM auth.mails WHERE user_id = $1 AND email = $2 AND kind ~ '^(second|recovery)_' ORDER BY id",
        UUID(user.id),
        user.email,
    )
    return [row["kind"] for row in rows]


async def live_sessions(owner: asyncpg.Connection, user: SignedIn) -> int:
    """How many sessions of the user's have not ended."""
    live = "SELECT count(*) FROM auth.sessions WHERE user_id = $1 AND ended_at IS NULL"
    return int(await owner.fetchval(live, UUID(user.id)) or 0)
