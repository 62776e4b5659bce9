"""Stripe's events as a shop gets them, signed: shapes from the stand-in, ids of our own."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import httpx
from stripe import WebhookSignature

from bench.errors import BenchError
from bench.http import request
from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import running

_KEY: Final = "sk_test_of_the_bench"
_PATH: Final = "/api/v1/webhooks/stripe"
_SESSION: Final = {
    "mode": "payment",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "eur",
    "line_items[0][price_data][unit_amount]": "900",
    "line_items[0][price_data][product_data][name]": "1,000 credits",
    "client_reference_id": "0190f2a0-7c1b-7000-8000-000000000001",
    "metadata[purchase_id]": "0190f2a0-7c1b-7000-8000-000000000001",
    "metadata[user_id]": "0190f2a0-7c1b-7000-8000-000000000002",
    "payment_intent_data[metadata][purchase_id]": "0190f2a0-7c1b-7000-8000-000000000001",
    "payment_intent_data[metadata][user_id]": "0190f2a0-7c1b-7000-8000-000000000002",
    "success_url": "https://shop.example/done",
    "cancel_url": "https://shop.example/cancelled",
}


async def templates(folder: Path) -> list[str]:
    """The events of a purchase that is refunded in part, and of one that is disputed, written as Stripe writes them."""
    async with (
        running(folder / "bench-stripe.log") as stand_in,
        Remote(stand_in.url) as remote,
        httpx.AsyncClient(base_url=stand_in.url, auth=(_KEY, ""), trust_env=False) as http,
    ):
        refunded, disputed = [await _bought(http, remote) for _ in range(2)]
        await _ask(http, "POST", "/v1/refunds", payment_intent=refunded, amount="300")
        await remote.dispute(disputed)
        events: list[dict[str, Any]] = (await _ask(http, "GET", "/v1/events?limit=100"))["data"]
    return [json.dumps(event, indent=2, ensure_ascii=False) for event in events]


async def _bought(http: httpx.AsyncClient, remote: Remote) -> str:
    session = await _ask(http, "POST", "/v1/checkout/sessions", **_SESSION)
    await remote.pay(session["id"])
    return (await _ask(http, "GET", f"/v1/checkout/sessions/{session['id']}"))["payment_intent"]


async def _ask(http: httpx.AsyncClient, method: str, path: str, **form: str) -> dict[str, Any]:
    answer = await http.request(method, path, data=form or None)
    if answer.is_error:
        raise BenchError(f"The stand-in answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


@dataclass
class Deliveries:
    """Requests without end, each an event of its own, signed when it is taken; ``ids`` are those that were taken."""

    templates: list[str]
    secret: str
    ids: set[str] = field(default_factory=set[str])

    @property
    def bytes_mean(self) -> int:
        """Of a body."""
        return round(sum(len(template.encode()) for template in self.templates) / len(self.templates))

    def requests(self) -> Iterator[bytes]:
        """The shapes by turns."""
        run, around = secrets.token_hex(4), [_around_id(template) for template in self.templates]
        for number, (before, after) in enumerate(cycle(around)):
            event_id = f"evt_bench{run}{number:08d}"
            body = f"{before}{event_id}{after}"
            signed = WebhookSignature.generate_signature_header(body, self.secret, int(time.time()))
            self.ids.add(event_id)
            yield request("POST", _PATH, body=body.encode(), fields={"Stripe-Signature": signed})


def _around_id(template: str) -> tuple[str, str]:
    before, _, after = template.partition(json.loads(template)["id"])
    return before, after
