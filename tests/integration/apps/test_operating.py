"""Apps by an operator's hand: ``./mana apps`` writes rows, and the keeper makes the broker as they say."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiormq
import asyncpg
import pytest
from aio_pika.exceptions import ProbableAuthenticationError

from api.operators.apps.__main__ import main
from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.integration.api.operators import Said, launch
from tests.integration.api.process import PARTITIONS
from tests.integration.apps.broker import SOON, Broker, Given, connected
from tests.integration.workers.running import Running

Mana = Callable[..., Awaitable[Said]]


@pytest.fixture
def mana(
    servers: Instance, keeper: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Mana:
    """What ``./mana apps`` says, as the program that it hands over to, in this process."""
    assert keeper.child.returncode is None
    for name, value in ProcessSettings(servers.addresses, PARTITIONS).operator("mana_owner").items():
        monkeypatch.setenv(name, value)

    async def say(*words: str) -> Said:
        status = await asyncio.to_thread(main, words)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return say


def _given(app: str, said: Said) -> Given:
    """The secret that was printed, with its address."""
    assert (said.status, said.errors) == (0, ""), said
    words = said.output.split()
    (url,) = [word for word in words if word.startswith("amqp://")]
    (text,) = [word for word in words if word.startswith("mana_app_")]
    return Given(app, (urlsplit(url).username or "").removeprefix(f"{app}."), text, url)


async def test_an_app_is_made_rotated_and_revoked(mana: Mana, broker: Broker, owner: asyncpg.Connection) -> None:
    app, options = "rotated", ("--name", "Chat", "--permission", "credits:use", "--permission", "events:read")
    first = _given(app, await mana("create", app, *options))
    async with connected(first) as (_, first_ended):
        second = _given(app, await mana("add-secret", app))
        assert await broker.logins(app) == {first.login, second.login}
        async with connected(second) as (_, second_ended):
            third = await mana("add-secret", app)
            assert (third.status, third.output) == (1, "")
            assert third.errors == f"{app}: secrets the app has two already: revoke one first. Nothing was changed.\n"
            shown = (await mana("show", app)).output
            assert first.login in shown
            assert second.login in shown
            assert first.text not in shown

            said = await mana("revoke-secret", app, first.id)
            assert (said.status, said.output) == (0, f"Secret {first.id} opens nothing any more.\n")
            assert "is deleted" in str(await asyncio.wait_for(first_ended, SOON))
            assert not second_ended.done(), "the other secret's connection lives on"
            with pytest.raises(ProbableAuthenticationError):
                await aiormq.connect(first.url)  # aio-pika's own complains when it is collected later

            assert (await mana("revoke", app)).status == 0
            assert "is deleted" in str(await asyncio.wait_for(second_ended, SOON))
    assert await broker.logins(app) == set()
    again = await mana("create", app)
    assert (again.status, again.output) == (1, "")
    assert "never used twice" in again.errors
    told = await owner.fetch(
        "SELECT type, details::text FROM auth.security_events WHERE details ->> 'app' = $1 ORDER BY id", app
    )
    assert [row["type"] for row in told] == [
        *("app.created", "app.secret_added", "app.secret_added", "app.secret_revoked", "app.revoked"),
    ]
    assert not [row for row in told if "mana_app_" in row["details"]]


async def test_mana_hands_over_to_it(broker: Broker, keeper: Running, servers: Instance) -> None:
    assert keeper.child.returncode is None
    given = await broker.new_app("credits:use")
    said = await launch(servers, "apps", "list")
    line = next(line for line in said.output.splitlines() if line.startswith(f"{given.app} "))
    assert line.split() == [given.app, given.app, "1", "never", "credits:use"]


async def test_only_the_hash_is_kept(broker: Broker, keeper: Running, owner: asyncpg.Connection) -> None:
    assert keeper.child.returncode is None
    given = await broker.new_app()
    kept: bytes = await owner.fetchval("SELECT hash FROM auth.app_secrets WHERE id = $1", given.id) or b""
    assert kept[4:] == hashlib.sha256(kept[:4] + given.text.encode()).digest()


@pytest.mark.parametrize("command", ["show", "revoke", "add-secret", "change"])
async def test_an_app_that_is_not_there_is_said_in_a_sentence(mana: Mana, command: str) -> None:
    said = await mana(command, "nobody", *(("--name", "x") if command == "change" else ()))
    assert said == Said(1, "", "nobody: there is no such app. Nothing was changed.\n")
