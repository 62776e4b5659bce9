"""Goal: a worker judges registered apps by their rows, soon after a change, and sends no reply to another's queue."""

from __future__ import annotations

import json
from typing import Any

import aio_pika
import asyncpg
import pytest

from contracts.apps import ON_BEHALF_HEADER, secret_of
from contracts.topology import FRONT_LOGIN
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.workers.apps import broker_login, change, registered, revoke
from tests.integration.workers.running import until

pytestmark = pytest.mark.usefixtures("worker")

_GRANT = {"amount": 5, "description": "d", "source": "bonus"}


async def _verdict(client: Client, type_: str, user: str, key: str, **fields: Any) -> str:
    """The error's code, or ``ok``."""
    reply = await client.call(type_, user, idempotencyKey=key, **fields)
    return "ok" if reply["ok"] else reply["error"]["code"]


async def test_rights_follow_the_row(client: Client, servers: Instance, owner: asyncpg.Connection) -> None:
    user = await client.open_user()
    async with registered(servers, owner, ["credits:use"]) as app, Client.connected(app.url) as as_app:

        async def granted() -> bool:
            return await _verdict(as_app, "credits.grant", user, "g", **_GRANT) == "ok"

        async def shut_out() -> bool:
            return (await as_app.call("credits.balance", user))["ok"] is False

        assert (await as_app.use(user, appId=app.id))["transaction"]["origin"] == "app"
        assert (await as_app.use(user, appId="chat"))["error"]["code"] == "app_mismatch"
        assert await _verdict(as_app, "credits.grant", user, "g", **_GRANT) == "forbidden"
        await change(owner, app, ["credits:grant"])
        await until(granted, "the worker knows the new permission")
        assert (await as_app.use(user, appId=app.id))["error"]["code"] == "forbidden"
        await revoke(owner, app)
        await until(shut_out, "the worker knows that the app is revoked")
        assert await _verdict(as_app, "credits.grant", user, "another", **_GRANT) == "forbidden"


async def test_a_revoked_secret_is_refused_though_the_broker_still_lets_it_in(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """By the database's own function, as nobody has told the broker yet."""
    user = await client.open_user()
    async with registered(servers, owner, ["credits:use"]) as app, Client.connected(app.url) as as_app:
        secret = secret_of(app.login)
        await owner.execute(
            "INSERT INTO auth.app_secrets (id, app_id, slot, hash) VALUES ($1, $2, 1, $3)", secret, app.id, bytes(36)
        )
        assert (await as_app.use(user, appId=app.id))["ok"]
        await owner.execute("SELECT auth.revoke_app_secret($1, $2)", app.id, secret)

        async def refused() -> bool:
            reply = await as_app.use(user, appId=app.id)
            return not reply["ok"] and reply["error"]["code"] == "forbidden"

        await until(refused, "the worker knows that the secret is revoked")
        assert not (await as_app.call("credits.balance", user))["ok"]
        await owner.execute("DELETE FROM auth.app_secrets WHERE id = $1", secret)


async def test_who_has_no_rights_burns_nobodys_key(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """A refusal for want of rights is not kept for the message: its key and id may be another's."""
    user = await client.open_user()
    async with (
        registered(servers, owner) as app,
        registered(servers, owner, []) as stranger,
        Client.connected(app.url) as as_app,
        Client.connected(stranger.url) as as_stranger,
    ):

        async def known() -> bool:
            return (await as_stranger.use(user, appId=stranger.id))["ok"] is False

        await until(known, "the worker knows that the stranger has no rights")
        fields = {"userId": user, "amount": 1, "appId": app.id, "description": "d", "idempotencyKey": "guessed"}
        told = {"type": "credits.use", "message_id": "guessed"}
        refused = await as_stranger.send(json.dumps(fields).encode(), user, **told)
        assert refused["error"]["code"] == "forbidden"
        assert refused["error"]["details"] == {"permission": "credits:use"}
        assert (await as_app.send(json.dumps(fields).encode(), user, **told))["ok"]


async def test_refunds_of_its_own_usages_unless_it_administers(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    user = await client.open_user()
    others = (await client.use(user, appId="chat"))["transaction"]["id"]
    async with registered(servers, owner) as app, Client.connected(app.url) as as_app:
        own = (await as_app.use(user, appId=app.id))["transaction"]["id"]
        assert await _verdict(as_app, "credits.refund", user, "own", transactionId=own) == "ok"
        assert await _verdict(as_app, "credits.refund", user, "others", transactionId=others) == "app_mismatch"
    async with registered(servers, owner, ["admin"]) as app, Client.connected(app.url) as as_app:

        async def known() -> bool:
            return await _verdict(as_app, "credits.grant", user, "g", **_GRANT) == "ok"

        await until(known, "the worker knows that the app administers")
        assert await _verdict(as_app, "credits.refund", user, "admin", transactionId=others) == "ok"
        assert await _verdict(as_app, "account.freeze", user, "freeze", reason="r") == "ok"


async def test_the_front_speaks_for_an_app(client: Client, servers: Instance, owner: asyncpg.Connection) -> None:
    user = await client.open_user()

    def body(app_id: str, key: str) -> bytes:
        fields = {"userId": user, "amount": 1, "appId": app_id, "description": "d", "idempotencyKey": key}
        return json.dumps(fields).encode()

    async with (
        registered(servers, owner, ["credits:use"]) as app,
        Client.connected(servers.addresses.amqp_as(FRONT_LOGIN)) as front,
    ):
        said = {ON_BEHALF_HEADER: app.id}

        async def known() -> bool:
            asked = json.dumps({"userId": user}).encode()
            return (await front.send(asked, user, type="credits.balance", headers=said))["ok"]

        await until(known, "the worker knows the app")
        used = await front.send(body(app.id, "a"), user, type="credits.use", headers=said)
        assert (used["transaction"]["origin"], used["transaction"]["appId"]) == ("app", app.id)
        mismatched = await front.send(body("chat", "b"), user, type="credits.use", headers=said)
        assert mismatched["error"]["code"] == "app_mismatch"
        stranger = {ON_BEHALF_HEADER: "nobody-knows-it"}
        unknown = await front.send(body("chat", "c"), user, type="credits.use", headers=stranger)
        assert unknown["error"]["code"] == "forbidden"
        for_user = await front.send(body("chat", "d"), user, type="credits.use")
        assert for_user["transaction"]["origin"] == "user"


@pytest.mark.checklist(64)
async def test_no_reply_reaches_another_apps_queue(
    client: Client, servers: Instance, owner: asyncpg.Connection
) -> None:
    """Whether the one who asks is registered, is not, or hides who it is."""
    user = await client.open_user()
    async with (
        registered(servers, owner) as victim,
        registered(servers, owner) as app,
        broker_login(servers, "plain-one", "plain-one") as plain,
        Client.connected(victim.url) as as_victim,
        Client.connected(app.url) as as_app,
        Client.connected(plain) as as_plain,
    ):
        queue = await as_victim.channel.declare_queue(f"{victim.id}.replies", exclusive=True)

        def body(app_id: str) -> bytes:
            fields = {"userId": user, "amount": 1, "appId": app_id, "description": "d", "idempotencyKey": app_id}
            return json.dumps(fields).encode()

        told = {"type": "credits.use", "reply_to": queue.name}
        await as_app.publish(body(app.id), user, **told)
        await as_plain.publish(body("plain-one"), user, **told)
        await as_app.publish(body("hidden"), user, **told, user_id=None)
        # Behind those in the user's own queue: this one is the victim's, and comes.
        await as_victim.publish(body(victim.id), user, **told)
        async with queue.iterator(timeout=10, no_ack=True) as messages:
            async for message in messages:
                assert json.loads(message.body)["transaction"]["appId"] == victim.id
                break
        assert (await queue.declare()).message_count == 0
        kept = [await _next_dead(client) for _ in range(3)]
        assert [json.loads(copy.body)["appId"] for copy in kept] == [app.id, "plain-one", "hidden"]
        assert [copy.headers["reply-to"] for copy in kept] == [queue.name] * 3
        assert (await client.call("credits.balance", user))["balance"]["totalSpent"] == 1


async def _next_dead(client: Client) -> aio_pika.abc.AbstractIncomingMessage:
    found: list[aio_pika.abc.AbstractIncomingMessage] = []
    queue = await client.dead()

    async def look() -> bool:
        message = await queue.get(fail=False, no_ack=True)
        found.extend([] if message is None else [message])
        return bool(found)

    await until(look, "a dead copy")
    return found[0]
