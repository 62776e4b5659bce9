"""Somebody who registers while the front, or the relay behind it, is killed at a crash point."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any, Final

import httpx

from tests.faults.doomed import dead, hits
from tests.faults.oracle.population import prepare
from tests.faults.stage import CREDITS, Stage
from tests.faults.tools.kept import Kept
from tests.faults.tools.telling import until

_BASE: Final = "/api/v1"
_WITHIN_SECONDS: Final = 30.0
_WAITING: Final = "SELECT count(*) FROM auth.outbox"
_OPENED: Final = """
SELECT count(*) FROM auth.users AS u JOIN credits.transactions AS t ON t.account_id = u.id WHERE u.email = $1
"""


async def through_front_s_death(stage: Stage, point: str) -> None:
    """The front dies while somebody signs up, or before the first use of who has; the relay does what is left."""
    await stage.start_front(crash=f"{point}:1")
    (front, login) = stage.front.fronts[-1], _login()
    if point == "outbox_before_send":
        await _sign_up_unheard(stage, front, login)
    else:
        await _expect_death(front, "auth/register", login)
    await _died(stage, front, point)
    relay = await stage.front.start_relay()
    await _opens_once(stage, front, login)
    await relay.drain()
    await front.drain()


async def through_relay_s_death(stage: Stage, point: str) -> None:
    """The relay dies over what a dead front has left; its next life does it."""
    await stage.start_front(crash="signup_after_commit:1")
    (front, login) = stage.front.fronts[-1], _login()
    await _expect_death(front, "auth/register", login)
    await _died(stage, front, "signup_after_commit")
    relay = await stage.front.start_relay(crash=f"{point}:1")
    await _died(stage, relay, point)
    await _opens_once(stage, front, login)
    await relay.drain()
    await front.drain()


def _login() -> dict[str, str]:
    return {"email": f"s{secrets.token_hex(8)}@example.com", "password": "a password for a test of faults"}


async def _sign_up_unheard(stage: Stage, front: Kept, login: dict[str, str]) -> None:
    """Nobody answers the opening; the first use sends it once more, and the front dies over that."""
    (worker,) = stage.workers.present
    await worker.pause()
    await _post(front, "auth/register", login)
    token = (await _post(front, "auth/login", login))["accessToken"]
    use = {
        "amount": 1,
        "appId": "chat",
        "description": "a use",
        "idempotencyKey": f"{stage.run}:{secrets.token_hex(8)}",
    }
    await _expect_death(front, "credits/use", use, token)
    await worker.wake()


async def _died(stage: Stage, process: Kept, point: str) -> None:
    await dead(process)
    hit = hits(process, point) == 1
    stage.must(hit, f"{process.name} ended otherwise than at {point}")
    kind = "relay" if process in stage.front.relays else "front"
    stage.injected(f"{kind} killed at a crash point", int(hit))
    await process.ready()


async def _opens_once(stage: Stage, front: Kept, login: dict[str, str]) -> None:
    """The account has its bonus, once; then its user is one of the run's, and is judged with the others."""

    async def emptied() -> bool:
        return (await stage.database.fetch(_WAITING))[0][0] == 0

    await until(emptied, "the outbox is empty", _WITHIN_SECONDS)
    user = _subject((await _post(front, "auth/login", login))["accessToken"])
    await prepare(stage.client, [user], CREDITS, opened=True)
    ((rows,),) = await stage.database.fetch(_OPENED, login["email"])
    stage.must(rows == 2, f"{rows} transactions after an opening and a grant")


async def _post(front: Kept, path: str, body: dict[str, str]) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=_WITHIN_SECONDS) as http:
        response = await http.post(f"{front.url}{_BASE}/{path}", json=body)
    assert response.is_success, f"{path}: {response.status_code} {response.text[:300]}"
    return response.json()


async def _expect_death(front: Kept, path: str, body: dict[str, Any], token: str = "") -> None:
    """Asks, and gets no answer."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(trust_env=False, timeout=_WITHIN_SECONDS) as http:
        try:
            response = await http.post(f"{front.url}{_BASE}/{path}", json=body, headers=headers)
        except httpx.TransportError:
            return
    raise AssertionError(f"the front was to die, and answered {path} with {response.status_code}")


def _subject(token: str) -> str:
    """Whose token it is."""
    claims = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
