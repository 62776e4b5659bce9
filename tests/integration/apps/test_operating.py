"""Apps by an operator's hand: ``./mana apps`` writes rows, and the keeper makes the broker as they say."""

from __future__ import annotations

import asyncio
import hashlib

import aio_pika
import asyncpg
import pytest
from aio_pika.exceptions import ProbableAuthenticationError

from tests.integration.api.process import Process
from tests.integration.apps.broker import Broker, connected


@pytest.fixture(autouse=True)
def with_keeper(keeper: Process) -> Process:
    """All of it needs the keeper."""
    return keeper


async def test_an_app_is_made_rotated_and_revoked(broker: Broker, owner: asyncpg.Connection) -> None:
    first = await broker.new_app("--name", "Chat", "--permission", "credits:use", "--permission", "events:read")
    async with connected(first) as (_, first_ended):
        second = broker.given(first.app, await broker.mana("add-secret", first.app))
        assert await broker.logins(first.app) == {first.login, second.login}
        async with connected(second) as (_, second_ended):
            third = await broker.mana("add-secret", first.app)
            assert (third.status, third.output) == (1, "")
            assert "has two already" in third.errors
            shown = (await broker.mana("show", first.app)).output
            assert first.login in shown
            assert second.login in shown
            assert first.text not in shown

            said = await broker.mana("revoke-secret", first.app, first.id)
            assert (said.status, said.output) == (0, f"Secret {first.id} opens nothing any more.\n")
            assert "is deleted" in str(await asyncio.wait_for(first_ended, 1))
            assert not second_ended.done(), "the other secret's connection lives on"
            with pytest.raises(ProbableAuthenticationError):
                await aio_pika.connect(first.url)

            assert (await broker.mana("revoke", first.app)).status == 0
            assert "is deleted" in str(await asyncio.wait_for(second_ended, 1))
    assert await broker.logins(first.app) == set()
    again = await broker.mana("create", first.app)
    assert (again.status, again.output) == (1, "")
    assert "never used twice" in again.errors
    line = next(line for line in (await broker.mana("list")).output.splitlines() if line.startswith(f"{first.app} "))
    assert line.split() == [first.app, "Chat", "0", "credits:use", "events:read", "revoked"]
    told = await owner.fetch(
        "SELECT type, details::text FROM auth.security_events WHERE details ->> 'app' = $1 ORDER BY id", first.app
    )
    assert [row["type"] for row in told] == [
        *("app.created", "app.secret_added", "app.secret_added", "app.secret_revoked", "app.revoked"),
    ]
    assert not [row for row in told if "mana_app_" in row["details"]]


async def test_only_the_hash_is_kept(broker: Broker, owner: asyncpg.Connection) -> None:
    given = await broker.new_app()
    kept: bytes = await owner.fetchval("SELECT hash FROM auth.app_secrets WHERE id = $1", given.id) or b""
    assert kept[4:] == hashlib.sha256(kept[:4] + given.text.encode()).digest()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("create", "a b"), "ID a b must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -."),
        (("create", "Stripe"), "ID Stripe is reserved."),
        (("create", "x", "--permission", "all"), "--permission all must be credits:use, "),
        (("create", "x", "--unanswered-max", "0"), "--unanswered-max 0 must be at least 1."),
        (("create", "x", "--commands-per-second", "many"), "--commands-per-second many must be "),
        (("change", "nobody"), "say what is to change: "),
        (("change", "nobody", "--name", "x"), "nobody: there is no such app. Nothing was changed."),
        (("show", "nobody"), "nobody: there is no such app. Nothing was changed."),
        (("revoke", "nobody"), "nobody: there is no such app. Nothing was changed."),
    ],
)
async def test_what_cannot_be_meant_is_said_in_a_sentence(
    broker: Broker, words: tuple[str, ...], sentence: str
) -> None:
    said = await broker.mana(*words)
    assert said.status != 0
    assert said.output == ""
    assert said.errors.startswith(sentence), said.errors
    assert said.errors.count("\n") == 1
