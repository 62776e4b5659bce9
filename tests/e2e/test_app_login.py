"""Goal: an app with a login of its own may do for itself what the contract says, and nothing else.

The login has just what an app needs at the broker: to publish to the commands' exchange. Direct replies need nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from urllib.parse import quote, urlsplit

import aio_pika
import httpx
import pytest
from aio_pika.exceptions import AMQPError

from ops.instance import Instance
from tests.e2e.client import Client

APP = "chat"


@pytest.fixture(scope="module")
async def app(instance: Instance) -> AsyncGenerator[Client]:
    """A client that is the app ``chat``."""
    administrator = urlsplit(instance.env["MANA_AMQP_URL"])
    login, password = administrator.username or "", administrator.password or ""
    vhost = quote(administrator.path.removeprefix("/") or "/", safe="")
    api = f"{instance.env['MANA_RABBITMQ_MANAGEMENT_URL']}/api"
    async with httpx.AsyncClient(auth=(login, password), trust_env=False) as management:
        user = {"password": "secret", "tags": ""}
        (await management.put(f"{api}/users/{APP}", json=user)).raise_for_status()
        permissions = {"configure": "^$", "write": r"^credits\.commands$", "read": "^$"}
        (await management.put(f"{api}/permissions/{vhost}/{APP}", json=permissions)).raise_for_status()
        async with Client.connected(_url_of(APP, instance)) as client:
            yield client
        (await management.delete(f"{api}/users/{APP}")).raise_for_status()


async def test_it_uses_reads_and_refunds(app: Client, opened_user: str) -> None:
    used = await app.use(opened_user, 3, appId=APP)
    assert used["ok"], used
    assert (used["transaction"]["appId"], used["transaction"]["origin"]) == (APP, "app")
    assert (await app.call("credits.balance", opened_user))["balance"]["totalSpent"] == 3
    usage = used["transaction"]["id"]
    refunded = await app.call("credits.refund", opened_user, transactionId=usage, idempotencyKey="back")
    assert refunded["transaction"]["refersTo"] == usage


@pytest.mark.checklist(64)
async def test_not_for_another_app(app: Client, client: Client, opened_user: str) -> None:
    assert (await app.use(opened_user, appId="other"))["error"]["code"] == "app_mismatch"
    others = await client.use(opened_user, appId="other")
    refused = await app.call(
        "credits.refund", opened_user, transactionId=others["transaction"]["id"], idempotencyKey="back"
    )
    assert refused["error"]["code"] == "app_mismatch"


@pytest.mark.checklist(64)
@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("credits.grant", {"amount": 1, "description": "d", "source": "bonus"}),
        ("credits.adjust", {"amount": 1, "description": "d", "reason": "r"}),
        ("account.open", {}),
        ("account.freeze", {"reason": "r"}),
        ("account.unfreeze", {"reason": "r"}),
    ],
)
async def test_not_what_is_the_administrators(
    app: Client, opened_user: str, type_: str, fields: dict[str, object]
) -> None:
    reply = await app.call(type_, opened_user, idempotencyKey=str(uuid.uuid4()), **fields)
    assert reply["error"]["code"] == "forbidden"


@pytest.mark.checklist(64)
async def test_not_what_is_our_own(app: Client, opened_user: str) -> None:
    assert (await app.call("credits.expire", opened_user))["error"]["code"] == "forbidden"


@pytest.mark.checklist(64)
@pytest.mark.parametrize("queue", ["credits.commands.0", "credits.dead"])
async def test_not_past_the_exchange(app: Client, instance: Instance, queue: str) -> None:
    async with Client.connected(_url_of(app.login, instance)) as other:
        with pytest.raises(AMQPError):
            await other.channel.default_exchange.publish(aio_pika.Message(b"{}"), queue)


def _url_of(login: str, instance: Instance) -> str:
    parts = urlsplit(instance.env["MANA_AMQP_URL"])
    return parts._replace(netloc=f"{login}:secret@{parts.hostname}:{parts.port}").geturl()
