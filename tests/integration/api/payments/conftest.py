"""A stand-in for Stripe, and a front that buys there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import httpx
import pytest

from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import StandIn, running
from ops.instance import Instance
from tests.integration.api.ledger import ScriptedLedger
from tests.integration.api.payments.shop import AT_FIRST, KEY, Buyer, Shop
from tests.integration.api.process import Process, another_front
from tests.integration.api.users import sign_up


@pytest.fixture(scope="package")
async def stand_in(logs: Path) -> AsyncGenerator[StandIn]:
    """Knows one key alone."""
    async with running(logs / "stripe.log", "--key", KEY) as process:
        yield process


@pytest.fixture(scope="package")
async def selling(
    servers: Instance, logs: Path, stand_in: StandIn
) -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    """A front that has this key, and tells all that it can."""
    settings = {"STRIPE_SECRET_KEY": KEY, "STRIPE_API_URL": stand_in.url, "LOG_LEVEL": "DEBUG"}
    async with another_front(servers, logs, **settings) as front:
        yield front


@pytest.fixture
async def shop(
    selling: tuple[Process, httpx.AsyncClient], stand_in: StandIn, owner: asyncpg.Connection
) -> AsyncGenerator[Shop]:
    """The front, Stripe's side of it, and the database; the switches are as at first again afterwards."""
    process, http = selling
    auth = httpx.BasicAuth(KEY, "")
    async with Remote(stand_in.url) as remote, httpx.AsyncClient(base_url=stand_in.url, auth=auth) as stripe:
        shop = Shop(process, http, remote, stripe, owner)
        yield shop
        await remote.switch(**AT_FIRST)
        await shop.take_back_offers()


@pytest.fixture
async def buyer(shop: Shop, ledger: ScriptedLedger) -> Buyer:
    """A new user."""
    assert ledger.opens
    return Buyer(shop, await sign_up(shop.http))
