"""`./mana up --demo`: a first user spends first credits, by both doors, step by step."""

import asyncio
import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import aio_pika
import httpx
import msgspec
from aio_pika.abc import AbstractIncomingMessage

from contracts.topology import COMMANDS_EXCHANGE, DIRECT_REPLY_TO
from ops import screen, urls
from ops.errors import LauncherError

_APP = "demo"
_REPLY_SECONDS = 15.0
_SHOWN = 500  # characters of an answer that was not expected


def run(env: Mapping[str, str]) -> None:
    """Register, log in, spend by REST and by AMQP, list both; each step is printed.

    Raises LauncherError at the first step that does not answer as the contract says.
    """
    asyncio.run(_run(env))


async def _run(env: Mapping[str, str]) -> None:
    async with httpx.AsyncClient(base_url=f"{env['MANA_API_URL']}/api/v1", timeout=30, trust_env=False) as front:
        user = await _sign_in(front)
        by_rest = await _spend_by_rest(front)
        by_amqp = await _spend_by_amqp(env["MANA_AMQP_URL"], user)
        await _list(front, {by_rest, by_amqp})


async def _sign_in(front: httpx.AsyncClient) -> str:
    """A new user, logged in; their id. The client sends their token from here on."""
    email, password = f"demo-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16)
    user = await _call(front, "POST", "/auth/register", 201, {"email": email, "password": password})
    _print("registered", f"{email}, user {user['id']}")
    session = await _call(front, "POST", "/auth/login", 200, {"email": email, "password": password})
    front.headers["Authorization"] = f"Bearer {session['accessToken']}"
    balance = await _call(front, "GET", "/credits/balance", 200)
    _print("logged in", f"{balance['freeCreditsRemaining']} free credits, {balance['balance']} paid")
    return str(user["id"])


async def _spend_by_rest(front: httpx.AsyncClient) -> str:
    body = {"amount": 1, "appId": _APP, "description": "first credit, by REST", "idempotencyKey": str(uuid.uuid4())}
    return _spent("by REST", await _call(front, "POST", "/credits/use", 200, body))


async def _spend_by_amqp(amqp_url: str, user: str) -> str:
    """As any app does: publish with a direct reply-to, and wait for the reply."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        replies: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        direct = await channel.get_queue(DIRECT_REPLY_TO, ensure=False)
        await direct.consume(replies.put, no_ack=True)
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        await exchange.publish(_use(user, login=urls.login_of(amqp_url)[0]), routing_key=user)
        try:
            reply = await asyncio.wait_for(replies.get(), _REPLY_SECONDS)
        except TimeoutError:
            raise LauncherError("The demo's command was queued but not answered: see ./mana logs worker-0.") from None
    return _spent("by AMQP", msgspec.json.decode(reply.body))


def _use(user: str, login: str) -> aio_pika.Message:
    body = {"userId": user, "amount": 1, "appId": _APP, "description": "second credit, by AMQP"}
    return aio_pika.Message(
        msgspec.json.encode({**body, "idempotencyKey": str(uuid.uuid4())}),
        type="credits.use",
        content_type="application/json",
        user_id=login,
        reply_to=DIRECT_REPLY_TO,
        correlation_id=str(uuid.uuid4()),
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )


def _spent(how: str, reply: dict[str, Any]) -> str:
    if "transaction" not in reply:
        raise LauncherError(f"The demo's credit was not spent {how}: {reply.get('error', reply)}.")
    done = reply["transaction"]
    _print(f"spent {how}", f"{done['amount']}, balance {done['balanceBefore']} → {done['balanceAfter']}")
    return str(done["id"])


async def _list(front: httpx.AsyncClient, expected: set[str]) -> None:
    listed = await _call(front, "GET", "/credits/transactions", 200)
    for one in listed:
        _print("transaction", f"{one['type']} {one['amount']:+} → {one['balanceAfter']}  {one['description']}")
    if missing := expected - {one["id"] for one in listed}:
        raise LauncherError(f"The demo's transactions are not in the list: {', '.join(sorted(missing))}.")


async def _call(
    front: httpx.AsyncClient, method: str, path: str, expected: int, body: Mapping[str, Any] | None = None
) -> Any:
    try:
        answer = await front.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise LauncherError(f"The demo could not reach the front ({error!r}): see ./mana logs api.") from error
    if answer.status_code != expected:
        raise LauncherError(
            f"The demo expected {expected} from {method} {answer.url}, and was answered {answer.status_code}"
            f" {answer.text[:_SHOWN]}: see ./mana status, and ./mana logs api."
        )
    return answer.json()


def _print(step: str, text: str) -> None:
    screen.results.print(f"{step:>16}  {text}", markup=False)
