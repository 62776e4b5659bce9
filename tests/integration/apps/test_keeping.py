"""The keeper makes the broker as the rows say: what they take away goes at once, what others did is put right."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from aio_pika.exceptions import AMQPError
from prometheus_client import CollectorRegistry

from api.apps.admin.model import Declared
from contracts.apps import CHANGES_CHANNEL, Permission
from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.integration.api.administrators import do
from tests.integration.api.process import PARTITIONS
from tests.integration.api.users import SignedIn
from tests.integration.apps.broker import SOON, Broker, Given, connected
from tests.integration.paused import paused
from tests.integration.workers.running import Running, running, until
from workers.apps.deciding import end
from workers.apps.management import Management
from workers.apps.meters import AppsMeters
from workers.apps.store import AppsStore
from workers.apps.uses import Uses
from workers.broker.address import Address


@pytest.fixture(autouse=True)
def with_keeper(keeper: Running) -> Running:
    """The one of all tests."""
    return keeper


@asynccontextmanager
async def _store(servers: Instance) -> AsyncGenerator[AppsStore]:
    store = AppsStore(servers.addresses.database_as("mana_apps"), application_name="apps-tests uses")
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def _silent_about_connections(management: str) -> Generator[str]:
    """The address of a management API that answers all but who is connected."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/api/connections"):
                self.send_error(503)
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            kept = {name: self.headers[name] for name in ("authorization", "content-type") if name in self.headers}
            answer = httpx.request(
                self.command, management + self.path, content=body, headers=kept, trust_env=False, timeout=20
            )
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.content)

        def do_PUT(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


async def _grant(broker: Broker, given: Given, *permissions: Permission) -> None:
    def changed(old: Declared) -> Declared:
        return Declared(old.name, permissions, old.commands_per_second, old.unanswered_max)

    await broker.change(lambda changes: changes.change(given.app, changed))


async def _bindings(broker: Broker, queue: str) -> set[str]:
    bound = await broker.ask("GET", f"queues/%2F/{quote(queue)}/bindings")
    return {one["routing_key"] for one in bound if one["source"] == "credits.events"}


async def _is_bound(broker: Broker, queue: str, keys: set[str]) -> None:
    """Returns once the queue is bound by these alone: what messages go by is looked at after all logins."""

    async def look() -> bool:
        return await _bindings(broker, queue) == keys

    await until(look, f"{queue} is bound by {keys}")


async def test_who_loses_a_right_is_disconnected_and_unbound(broker: Broker) -> None:
    given = await broker.new_app("credits:use", "admin")
    queue = f"{given.app}.events"
    async with connected(given) as (connection, ended):
        channel = await connection.channel()
        kept = await channel.declare_queue(queue, durable=True)
        for key in ("#", f"credits.*.{given.app}"):
            await kept.bind("credits.events", key)
        await _grant(broker, given, "credits:use", "events:read")
        assert "is deleted" in str(await asyncio.wait_for(ended, SOON))
    await broker.settled(given.app)
    await _is_bound(broker, queue, {f"credits.*.{given.app}"})
    async with connected(given) as (connection, _):
        kept = await (await connection.channel()).get_queue(queue)
        with pytest.raises(AMQPError, match="access to topic '#'"):
            await kept.bind("credits.events", "#")
    await _grant(broker, given, "credits:use")
    await broker.settled(given.app)
    await _is_bound(broker, queue, set())


async def test_a_revoked_apps_queues_and_exchanges_go_and_its_secrets_use_was_seen(
    broker: Broker, owner: asyncpg.Connection, servers: Instance
) -> None:
    """One secret's end takes none of them."""
    given = await broker.new_app()
    names = {f"{given.app}.q", f"{given.app}.x"}
    management = Management(servers.addresses.management, Address.of(servers.addresses.amqp))

    async def used() -> bool:
        await uses.look()  # each time, until the broker's statistics are new
        last_used = "SELECT last_used_at FROM auth.app_secrets WHERE id = $1"
        return await owner.fetchval(last_used, given.id) is not None

    async def left() -> set[str]:
        there = [*await broker.ask("GET", "queues"), *await broker.ask("GET", "exchanges")]
        return {one["name"] for one in there if one["name"].startswith(f"{given.app}.")}

    async def gone() -> bool:
        return await left() == set()

    async with connected(given) as (connection, _):
        channel = await connection.channel()
        await channel.declare_queue(f"{given.app}.q", durable=True)
        await channel.declare_exchange(f"{given.app}.x", durable=True)
        await channel.declare_queue(f"{given.app}.own", exclusive=True)
        async with _store(servers) as store:
            uses = Uses(management, store, AppsMeters(CollectorRegistry()))
            await until(used, "the connection has been seen", within=20)
        await management.close()
        await broker.revoke_secret(given)
        await broker.settled(given.app)
    assert await left() >= names
    await broker.change(lambda changes: changes.revoke(given.app))
    await until(gone, "they are gone", within=SOON)


async def test_who_came_in_while_the_login_went_is_put_out(
    broker: Broker, owner: asyncpg.Connection, servers: Instance, keeper: Running
) -> None:
    """As if the broker had not known of the connection yet when its login was ended."""
    given = await broker.new_app()
    management = Management(servers.addresses.management, Address.of(servers.addresses.amqp))
    async with connected(given) as (_, ended), _store(servers) as store:
        uses = Uses(management, store, AppsMeters(CollectorRegistry()))

        async def is_out() -> bool:
            await uses.look()  # each time, until the broker's statistics are new
            return ended.done()

        with paused(keeper.child):
            await broker.revoke_secret(given)
            await owner.execute("UPDATE auth.app_secrets SET gone_at = now() WHERE id = $1", given.id)
            await until(is_out, "the connection is ended", within=20)
        assert "is deleted" in str(ended.result())
    await management.close()


async def test_uses_are_noted_without_waiting_for_who_changes_rows(
    broker: Broker, owner: asyncpg.Connection, servers: Instance
) -> None:
    """Whoever revokes an app holds several of its rows, in whichever order."""
    one = await broker.new_app()
    other = await broker.add_secret(one.app)
    ids = [one.id, other.id]
    noted = "SELECT id FROM auth.app_secrets WHERE id = ANY($1) AND last_used_at IS NOT NULL"
    async with _store(servers) as store:
        async with owner.transaction():
            await owner.execute("SELECT FROM auth.app_secrets WHERE id = $1 FOR UPDATE", one.id)
            await store.note_used(ids)
            assert [row["id"] for row in await owner.fetch(noted, ids)] == [other.id]
        await store.note_used(ids)
    assert {row["id"] for row in await owner.fetch(noted, ids)} == set(ids)


async def test_a_broker_that_does_not_tell_who_is_connected_keeps_no_keeper_from_its_rounds(
    servers: Instance, logs: Path
) -> None:
    with _silent_about_connections(servers.addresses.management) as address:
        own = {**ProcessSettings(servers.addresses, PARTITIONS).apps(), "RABBITMQ_MANAGEMENT_URL": address}
        async with running(servers, logs, "workers.apps", own) as other:

            async def counted() -> bool:
                return await other.meter("mana_app_uses_failed_total") >= 1

            await until(counted, "that it was not told is counted", other.log)
            await other.ready()


async def test_who_gets_a_right_works_on(broker: Broker) -> None:
    given = await broker.new_app("credits:use")
    async with connected(given) as (connection, ended):
        await _grant(broker, given, "credits:use", "events:read")
        await broker.settled(given.app)
        queue = await (await connection.channel()).declare_queue(f"{given.app}.events", exclusive=True)
        await queue.bind("credits.events", f"credits.*.{given.app}")
        assert not ended.done()


async def test_a_connection_that_the_broker_did_not_end_itself_is_told_the_same(
    broker: Broker, servers: Instance
) -> None:
    """The last of the calls that end a login, without the first."""
    given = await broker.new_app()
    management = Management(servers.addresses.management, Address.of(servers.addresses.amqp))
    async with connected(given) as (_, ended):

        async def seen() -> bool:
            return bool(await broker.connections(given.login))

        await until(seen, "the broker's statistics know the connection")
        *_, last = end(given.login)
        await management.call(last)
        assert f"user '{given.login}' is deleted" in str(await asyncio.wait_for(ended, SOON))
    await management.close()


async def test_what_somebody_did_at_the_broker_is_put_right(
    broker: Broker, owner: asyncpg.Connection, keeper: Running
) -> None:
    """One login is gone, one has all rights, and one that was revoked is back: all of it before the keeper looks."""
    lost, widened = await broker.new_app(), await broker.new_app()
    revoked = await broker.add_secret(widened.app)
    await broker.revoke_secret(revoked)
    await broker.settled(widened.app)
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    async with AsyncExitStack() as stack:
        with paused(keeper.child):
            await broker.ask("PUT", f"users/{revoked.login}", {"password": revoked.text, "tags": ""})
            await broker.ask("PUT", f"permissions/%2F/{widened.login}", everything)
            _, ended = await stack.enter_async_context(connected(widened))
            await broker.ask("DELETE", f"users/{lost.login}")
        await owner.execute(f"NOTIFY {CHANGES_CHANNEL}")
        assert "is deleted" in str(await asyncio.wait_for(ended, SOON))

    async def right() -> bool:
        rights = {one["user"]: one for one in await broker.ask("GET", "permissions")}
        there = {one["name"] for one in await broker.ask("GET", "users")}
        return (
            {lost.login, widened.login} <= rights.keys()
            and rights[widened.login]["write"] != ".*"
            and revoked.login not in there
        )

    await until(right, "the broker is as the rows say", within=SOON)
    for given in (lost, widened):
        async with connected(given):
            pass


async def test_logins_that_no_row_names_are_left_alone(broker: Broker, owner: asyncpg.Connection) -> None:
    given = await broker.new_app()
    strangers = {f"{given.app}.byhand", given.app, "by-hand"}
    for name in strangers:
        await broker.ask("PUT", f"users/{name}", {"password": "x", "tags": "monitoring"})
    kept = await broker.ask("GET", "users")
    await broker.add_secret(given.app)
    now = {one["name"]: one for one in await broker.ask("GET", "users")}
    assert [now[one["name"]] for one in kept] == kept
    for name in strangers:
        await broker.ask("DELETE", f"users/{name}")


async def test_nothing_is_missed_while_nobody_hears(
    broker: Broker, owner: asyncpg.Connection, servers: Instance, keeper: Running
) -> None:
    """The connection that hears changes is ended: what changes meanwhile is looked for when it is there again."""
    itself = await asyncpg.connect(servers.addresses.database_as("mana_apps"))
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"

    async def ended() -> bool:
        return bool(await itself.fetch(end, f"{keeper.name} changes"))

    try:
        await until(ended, "it was there, and is ended", keeper.log)
    finally:
        await itself.close()
    async with asyncio.timeout(SOON):
        given = await broker.new_app()
    async with connected(given):
        pass


async def test_a_late_broker_is_no_reason_to_wait_for_ever(
    broker: Broker, http: httpx.AsyncClient, admin: SignedIn, keeper: Running
) -> None:
    """Who asks is told that a login is not made yet, or not gone; it is as soon as the keeper goes on."""
    rotated, revoked = await broker.new_app(), await broker.new_app()
    with paused(keeper.child):
        answer, *ends = await asyncio.gather(
            do(http, admin, "POST", "/apps", {"id": "late"}),
            do(http, admin, "DELETE", f"/apps/{rotated.app}/secrets/{rotated.id}"),
            do(http, admin, "DELETE", f"/apps/{revoked.app}"),
        )
    assert answer.status_code == 201
    made = answer.json()
    assert (made["secret"]["ready"], made["app"]["secrets"][0]["ready"]) == (False, False)
    assert [(end.status_code, end.json()) for end in ends] == [(200, {"success": True, "ready": False})] * 2
    for app in ("late", rotated.app, revoked.app):
        await broker.settled(app)
    assert await broker.logins("late") == {made["secret"]["login"]}


@pytest.mark.parametrize(
    ("setting", "address", "part"),
    [
        ("RABBITMQ_MANAGEMENT_URL", "http://127.0.0.1:1", "rabbitmq"),
        ("DATABASE_URL", "postgresql://mana_apps:x@127.0.0.1:1/mana", "postgresql"),
    ],
)
async def test_a_server_that_is_away_is_named(
    servers: Instance, logs: Path, setting: str, address: str, part: str
) -> None:
    own = {**ProcessSettings(servers.addresses, PARTITIONS).apps(), setting: address}
    async with running(servers, logs, "workers.apps", own) as other:

        async def said() -> bool:
            return part in (await other.health()).get("problems", {})

        await until(said, f"it says that {part} is away", other.log)
