"""The demo's first part: a user signs in, and spends credits by both doors."""

import asyncio
import secrets
import uuid
from typing import Any

import aio_pika
import httpx
import msgspec
from aio_pika.abc import AbstractIncomingMessage

from contracts.topology import COMMANDS_EXCHANGE, DIRECT_REPLY_TO
from ops import urls
from ops.demo.steps import call, show
from ops.errors import LauncherError

_APP = "demo"
_REPLY_SECONDS = 15.0


async def run(front: httpx.AsyncClient, amqp_url: str) -> None:
    """Register, log in, spend by REST and by AMQP, list both; the client is the user's from then on.

    Raises LauncherError at the first step that does not answer as the contract says.
    """
    user = await _sign_in(front)
    by_rest = await _spend_by_rest(front)
    by_amqp = await _spend_by_amqp(amqp_url, user)
    await _list(front, {by_rest, by_amqp})


async def _sign_in(front: httpx.AsyncClient) -> str:
    """A new user, logged in; their id. The client sends their token from here on."""
    email, password = f"demo-{secrets.token_hex(4)}@example.com", secrets.token_urlsafe(16)
    user = await call(front, "POST", "/auth/register", 201, {"email": email, "password": password})
    show("registered", f"{email}, user {user['id']}")
    session = await call(front, "POST", "/auth/login", 200, {"email": email, "password": password})
    front.headers["Authorization"] = f"Bearer {session['accessToken']}"
    balance = await call(front, "GET", "/credits/balance", 200)
    show("logged in", f"{balance['freeCreditsRemaining']} free credits, {balance['balance']} paid")
    return str(user["id"])


async def _spend_by_rest(front: httpx.AsyncClient) -> str:
    body = {"amount": 1, "appId": _APP, "description": "first credit, by REST", "idempotencyKey": str(uuid.uuid4())}
    return _spent("by REST", await call(front, "POST", "/credits/use", 200, body))


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
    show(f"spent {how}", f"{done['amount']}, balance {done['balanceBefore']} → {done['balanceAfter']}")
    return str(done["id"])


async def _list(front: httpx.AsyncClient, expected: set[str]) -> None:
    listed = await call(front, "GET", "/credits/transactions", 200)
    for one in listed:
        show("transaction", f"{one['type']} {one['amount']:+} → {one['balanceAfter']}  {one['description']}")
    if missing := expected - {one["id"] for one in listed}:
        raise LauncherError(f"The demo's transactions are not in the list: {', '.join(sorted(missing))}.")
