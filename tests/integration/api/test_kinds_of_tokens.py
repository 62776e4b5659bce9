"""Each kind of token opens the one door that it is for (SECURITY.md 15, 40, 48)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import httpx

from tests.integration.api.authenticator import challenge, enrol
from tests.integration.api.keys import make_key
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.services import service
from tests.integration.api.users import BASE, SignedIn, assert_problem, new_email
from tests.integration.auth.links import newest_link

Door = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


def _post(path: str, field: str, **more: Any) -> Door:
    """The token in a field of a body."""

    async def ask(http: httpx.AsyncClient, token: str) -> httpx.Response:
        return await http.post(f"{BASE}/auth{path}", json={field: token, **more})

    return ask


async def _as_bearer(http: httpx.AsyncClient, token: str) -> httpx.Response:
    return await http.get(f"{BASE}/auth/me", headers={"authorization": f"Bearer {token}"})


async def _validate(http: httpx.AsyncClient, token: str) -> httpx.Response:
    """Its answer is 200 in any case: what it tells becomes the status."""
    told = await http.post(f"{BASE}/auth/validate", json={"token": token})
    return httpx.Response(200 if told.json()["valid"] else 401)


DOORS: Final[dict[str, Door]] = {
    "bearer": _as_bearer,
    "validate": _validate,
    "refresh": _post("/refresh", "refreshToken"),
    "second factor": _post("/login/two-factor", "challenge", recoveryCode="wrong"),
    "verify": _post("/email/verify", "token"),
    "reset": _post("/password/reset", "token", newPassword="a staple for all doors"),
    "confirm": _post("/email/change/confirm", "token"),
}
OPENS: Final = {
    "access token": {"bearer", "validate"},
    "refresh token": {"refresh"},
    "challenge": set[str](),
    "link to verify": {"verify"},
    "link to reset": {"reset"},
    "link to confirm": {"confirm"},
}
"""A challenge alone opens nothing: the right recovery code is part of what it wants."""


async def test_a_token_opens_its_own_door_only(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection
) -> None:
    """[15] [40] [48]: every kind at every door; the wrong doors spend nothing, and the right one opens afterwards."""
    assert ledger.opens
    enrolled = await enrol(http, owner)
    user, other = enrolled.user, new_email()
    for path, email in (("password/forgot", user.email), ("email/verify/resend", user.email), ("email/change", other)):
        assert (await http.post(f"{BASE}/auth/{path}", json={"email": email}, headers=user.headers)).is_success
    tokens = {
        "access token": user.access_token,
        "refresh token": user.refresh_token,
        "challenge": await challenge(http, user.email),
        "link to verify": await newest_link(owner, "verify_requested", user.email),
        "link to reset": await newest_link(owner, "reset_requested", user.email),
        "link to confirm": await newest_link(owner, "change_requested", other),
    }
    for kind, token in tokens.items():
        for name, door in DOORS.items():
            if name not in OPENS[kind]:
                answer = await door(http, token[:200] if name == "second factor" else token)
                assert answer.status_code in {401, 422}, f"{kind} at {name}: {answer.text}"
    answered = await http.post(
        f"{BASE}/auth/login/two-factor",
        json={"challenge": tokens["challenge"], "recoveryCode": enrolled.recovery_codes[0]},
    )
    assert answered.status_code == 200, answered.text
    # The link to confirm is left: it moves the address that the others are bound to, and a reset voids it.
    for name in ("bearer", "validate", "refresh", "verify", "reset"):
        for kind in (kind for kind, doors in OPENS.items() if name in doors):
            answer = await DOORS[name](http, tokens[kind])
            assert answer.status_code == 200, f"{kind} at {name}: {answer.text}"


async def test_a_good_credential_of_the_wrong_kind_is_told_so(
    http: httpx.AsyncClient, ledger: ScriptedLedger, owner: asyncpg.Connection, user: SignedIn
) -> None:
    """In words: the code and the status are those of any other, and of a bad one nobody is told what it is."""
    assert ledger.opens
    key, token = await make_key(http, user, "credits:read"), await service(http, owner)
    told = {
        key.text: "keys do not open this",
        token.text: "tokens of apps do not open this",
        token.app.secret: "an app's secret is shown at POST /auth/token alone",
        user.refresh_token: "a valid access token is needed",
        token.text[:-4] + "AAAA": "a valid access token is needed",
    }
    for shown, words in told.items():
        problem = assert_problem(await _as_bearer(http, shown), 401, "unauthorized")
        assert problem["detail"].startswith(words)
    by_secret = await http.get(f"{BASE}/credits/transactions", headers={"authorization": f"Bearer {token.app.secret}"})
    assert assert_problem(by_secret, 401, "unauthorized")["detail"].startswith(told[token.app.secret])
