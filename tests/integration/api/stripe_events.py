"""Stripe's signed deliveries as a test makes them, and the queue that they end on."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import httpx
import stripe
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from api.webhooks import refusals
from contracts.topology import PAYMENTS_LOGIN, STRIPE_QUEUE
from ops.instance import Instance

WEBHOOK = "/api/v1/webhooks/stripe"
SECRET = "whsec_of_this_endpoint_4f1c"
OLD_SECRET = "whsec_from_before_the_rotation_9d"
BOTH = f"{SECRET},{OLD_SECRET}"
EVENTS_PER_MINUTE = refusals.EVENTS_PER_MINUTE


def event(event_id: str | None = None, padding: str = "ü €") -> bytes:
    """An event's body, spaced and escaped as no serialiser of ours would."""
    event_id = event_id or f"evt_{secrets.token_hex(12)}"
    return f'{{\r\n  "id":  "{event_id}", "type": "charge.refunded", "n": 1.10, "x": "{padding}\\u00fc" }}\n'.encode()


def signature(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """By Stripe's own library."""
    at = time.time() if at is None else at
    return stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at))


async def deliver(http: httpx.AsyncClient, body: bytes, signed: str | None = None) -> httpx.Response:
    """One delivery; rightly signed unless something else is given, and without a signature where that is empty."""
    signed = signature(body) if signed is None else signed
    headers = [(b"stripe-signature", signed.encode("latin-1"))] if signed else []
    return await http.post(WEBHOOK, content=body, headers=headers)


@dataclass(frozen=True)
class StripeQueue:
    """The queue as the payments worker sees it."""

    queue: AbstractQueue

    async def all(self) -> list[AbstractIncomingMessage]:
        """Takes everything that is there, the oldest first."""
        found = list[AbstractIncomingMessage]()
        while (message := await self.queue.get(no_ack=True, fail=False)) is not None:
            found.append(message)
        return found

    async def ids(self) -> list[str]:
        """Takes everything; the ids of the events."""
        return [json.loads(message.body)["id"] for message in await self.all()]


@asynccontextmanager
async def stripe_queue(servers: Instance) -> AsyncGenerator[StripeQueue]:
    """Connected as the worker's login, and empty."""
    async with await aio_pika.connect(servers.addresses.amqp_as(PAYMENTS_LOGIN)) as connection:
        queue = StripeQueue(await (await connection.channel()).get_queue(STRIPE_QUEUE, ensure=False))
        await queue.all()
        yield queue
