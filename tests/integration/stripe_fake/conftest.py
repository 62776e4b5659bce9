"""One stand-in for all tests here; each has an endpoint of its own, and leaves the switches as they were."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
import stripe

from ops.fakes.stripe.remote import Remote
from ops.fakes.stripe.running import StandIn, running
from tests.integration.stripe_fake.receiver import receiving
from tests.integration.stripe_fake.shop import TEST_KEY, VERSION, Recording, Shop, recording

_AS_AT_FIRST = {
    "repeat": 1,
    "delay_seconds": 0,
    "shuffle_seconds": 0,
    "lose_next": 0,
    "lose_share": 0,
    "hold": False,
    "concurrency": 1,
    "retry_seconds": 0.05,
    "refunds_pending": False,
    "async_seconds": None,
    "answer_delay_seconds": 0,
    "answers_failed": 0,
    "answers_lost": 0,
}


@pytest_asyncio.fixture(scope="session")
async def stand_in(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[StandIn]:
    """Runs for as long as the tests do."""
    async with running(tmp_path_factory.mktemp("stripe") / "stripe.log") as process:
        yield process


def client_of(url: str, http: Recording, key: str = TEST_KEY, retries: int = 0) -> Any:
    """The library's client, told where the stand-in is and nothing else."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": url},
        stripe_version=VERSION,
        http_client=http,
        max_network_retries=retries,
    )


@pytest_asyncio.fixture
async def shop(stand_in: StandIn) -> AsyncGenerator[Shop]:
    """A seller with an endpoint for all events; at the end all that was answered and sent has its right shape."""
    async with recording() as http, Remote(stand_in.url) as remote, receiving() as receiver:
        await remote.switch(**_AS_AT_FIRST)
        shop = Shop(client_of(stand_in.url, http), remote, receiver, http, stand_in.url)
        newest = await shop.client.v1.events.list_async({"limit": 1})
        shop.last = newest.data[0].id if newest.data else None
        endpoint = await shop.client.v1.webhook_endpoints.create_async(
            {"url": receiver.url, "enabled_events": ["*"], "api_version": VERSION}
        )
        assert endpoint.secret is not None
        shop.endpoint, shop.secret = endpoint.id, endpoint.secret
        yield shop
        await remote.switch(**_AS_AT_FIRST)
        await remote.deliver_now()
        await shop.client.v1.webhook_endpoints.delete_async(endpoint.id)
    assert shop.misshapen() == []
