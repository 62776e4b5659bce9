"""The stand-in as a process: what it is started with, and how it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import stripe

from ops.fakes.stripe.running import NotStartedError, running
from tests.integration.stripe_fake.conftest import client_of
from tests.integration.stripe_fake.receiver import receiving
from tests.integration.stripe_fake.shop import LIVE_KEY, TEST_KEY, recording


async def test_started_with_a_key_and_an_endpoint(tmp_path: Path) -> None:
    """Only that key is taken; the endpoint is there from the start, with its secret; then the process is gone."""
    secret = "whsec_given_beforehand"
    async with recording() as http, receiving() as receiver:
        options = ("--key", TEST_KEY, "--endpoint", receiver.url, "--endpoint-secret", secret)
        async with running(tmp_path / "stripe.log", *options) as stand_in:
            await client_of(stand_in.url, http).v1.customers.create_async({"email": "a@example.org"})
            await receiver.until(1)
            assert [event.type for event in receiver.events(secret)] == ["customer.created"]
            with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
                await client_of(stand_in.url, http, LIVE_KEY).v1.customers.create_async({})
    with pytest.raises(ProcessLookupError):
        os.kill(stand_in.pid, 0)


async def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    """Its own words are in the error."""
    with pytest.raises(NotStartedError, match="go together"):
        async with running(tmp_path / "stripe.log", "--endpoint", "http://127.0.0.1:9/"):
            pass
