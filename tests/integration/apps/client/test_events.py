"""Goal: a subscriber gets each event in order, goes on where it was, and is told of what it cannot get."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from mana_client import Event, FileStore, Gap, Item, LogGap, LogReplaced, Mana, ManaError, NotAllowed, Position
from mana_client.events import log

from bench.bounds import management
from contracts.apps import Permission
from ops import urls
from ops.instance import Instance
from tests.faults.tools.proxy import Proxy
from tests.integration.apps.client.logins import CHAT, login
from tests.integration.workers.running import Running, until

LOG = "credits.events.log"


@pytest.fixture
async def channel(servers: Instance, worker: Running) -> AsyncGenerator[AbstractChannel]:
    """The administrator's."""
    assert worker.child.returncode is None
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        yield await connection.channel()


@pytest.fixture
async def small_log(servers: Instance) -> AsyncGenerator[None]:
    """Of the log that is declared then, only the newest pieces are kept."""
    vhost = urls.vhost_of(servers.addresses.amqp)
    async with management(servers.env) as broker:
        small = {"pattern": rf"^{LOG}$", "definition": {"max-length-bytes": 2_000}, "priority": 9, "apply-to": "queues"}
        await broker.put("policies", vhost, "small-log", body=small)
        yield
        await broker.delete("policies", vhost, "small-log")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is silent for so long is taken for the end of the log."""
    monkeypatch.setattr(log, "_SILENCE_SECONDS", 0.7)


async def take(items: AsyncGenerator[Item], number: int) -> list[Item]:
    """So many; what was taken last is not handled then."""
    async with asyncio.timeout(20):
        return [await anext(items) for _ in range(number)]


def sequences(items: list[Item]) -> list[int | None]:
    """Of events; anything else is none."""
    return [item.sequence if isinstance(item, Event) else -1 for item in items]


async def publish(channel: AbstractChannel, sequence: int | None, user: str, id_: str | None = None) -> None:
    """An event that is made up, as the broker's administrator could."""
    event: dict[str, Any] = {
        "id": id_ or f"{user}:{sequence}", "type": "credits.used", "subject": user, "time": "2026-01-01T00:00:00Z",
        "data": {}, **({} if sequence is None else {"sequence": sequence}),
    }  # fmt: skip
    exchange = await channel.get_exchange("credits.events", ensure=False)
    await exchange.publish(aio_pika.Message(json.dumps(event).encode()), "credits.used.chat")


async def replace_log(channel: AbstractChannel, **arguments: Any) -> None:
    """Another stream of that name, as after the loss of the broker's disk."""
    await channel.queue_delete(LOG)
    queue = await channel.declare_queue(LOG, durable=True, arguments={"x-queue-type": "stream", **arguments})
    await queue.bind("credits.events", "#")


async def test_events_are_what_was_answered(mana: Mana, user: str) -> None:
    used = await mana.use(user, 3, description="d", metadata={"model": "x"})
    refunded = await mana.refund(user, used.transaction.id)
    async with aclosing(mana.events(user_id=user)) as events:
        opened, *rest = await take(events, 3)
    assert isinstance(opened, Event)
    assert (opened.type, opened.user_id, opened.sequence) == ("credits.granted", user, 1)
    for event, result in zip(rest, (used, refunded), strict=True):
        assert isinstance(event, Event)
        assert (event.transaction, event.balance) == (result.transaction, result.balance)
        assert (event.id, event.sequence) == (result.transaction.id, result.transaction.sequence)


async def test_only_some_types(mana: Mana, user: str) -> None:
    used = await mana.use(user, 3, description="d")
    await mana.refund(user, used.transaction.id)
    async with aclosing(mana.events(user_id=user, types=["credits.refunded"])) as events:
        [event] = await take(events, 1)
    assert sequences([event]) == [3]


async def test_the_position_is_stored_once_the_next_one_is_asked_for(mana: Mana, user: str, tmp_path: Path) -> None:
    for _ in range(3):
        await mana.use(user, 1, description="d")
    store = FileStore(tmp_path / "position")
    async with aclosing(mana.events(user_id=user, position=store)) as events:
        first, second = await take(events, 2)
    assert isinstance(first, Event)
    assert await store.load() == first.position, "the second was not handled"
    async with aclosing(mana.events(user_id=user, position=store)) as events:
        again, *rest = await take(events, 3)
    assert (again, sequences(rest)) == (second, [3, 4])


async def test_what_nobody_wanted_is_stored_as_passed(mana: Mana, user: str, tmp_path: Path) -> None:
    await mana.use(user, 1, description="d")
    store = FileStore(tmp_path / "position")
    async with aclosing(mana.events(user_id=user)) as events:
        _, used = await take(events, 2)
    assert isinstance(used, Event)
    last = used.position
    assert last is not None

    async def is_passed() -> bool:
        return await store.load() == last

    async with aclosing(mana.events(user_id=str(uuid.uuid4()), position=store)) as events:
        wanted = asyncio.create_task(take(events, 1))
        try:
            await until(is_passed, "the last one is stored as passed")
            assert not wanted.done()
        finally:
            wanted.cancel()
            await asyncio.wait({wanted})


async def test_a_position_of_the_callers_own(mana: Mana, user: str) -> None:
    for _ in range(2):
        await mana.use(user, 1, description="d")
    async with aclosing(mana.events(user_id=user)) as events:
        _, kept, _ = await take(events, 3)
    assert isinstance(kept, Event)
    assert kept.position is not None
    async with aclosing(mana.events(user_id=user, start=kept.position)) as events:
        assert sequences(await take(events, 1)) == [3]


async def test_connections_are_lost_meanwhile(servers: Instance, proxy: Proxy, mana: Mana, user: str) -> None:
    reader = Mana(proxy.url(servers.addresses.amqp))
    seen: list[Item] = []
    async with aclosing(reader.events(user_id=user)) as events:
        for number in range(5):
            await mana.use(user, 1, description="d")
            seen += await take(events, 1)
            if number % 2:
                await proxy.cut()
        seen += await take(events, 1)
    assert sequences(seen) == [1, 2, 3, 4, 5, 6]
    assert proxy.accepted == 3


async def test_from_now_on_means_also_over_a_lost_connection(
    servers: Instance, proxy: Proxy, mana: Mana, user: str
) -> None:
    await mana.use(user, 1, description="before")
    others = await _readers(servers)  # RabbitMQ lists some of the tests before, which are gone
    async with aclosing(Mana(proxy.url(servers.addresses.amqp)).events(user_id=user, start="next")) as events:
        waiting = asyncio.create_task(anext(events))

        async def is_read() -> bool:
            return bool(await _readers(servers) - others)

        await until(is_read, "the log is read")
        async with proxy.down():
            await mana.use(user, 1, description="meanwhile")
        await _seen_up_to(3, waiting, events)


async def test_from_now_on_means_from_the_call_also_where_the_broker_was_away_then(
    servers: Instance, proxy: Proxy, mana: Mana, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def is_told() -> bool:
        return "cannot subscribe" in caplog.text

    async with aclosing(Mana(proxy.url(servers.addresses.amqp)).events(user_id=user, start="next")) as events:
        async with proxy.down():
            waiting = asyncio.create_task(anext(events))
            await until(is_told, "the broker was found away")
            await mana.use(user, 1, description="meanwhile")
        await _seen_up_to(2, waiting, events)


async def _seen_up_to(last: int, waiting: asyncio.Task[Item], events: AsyncGenerator[Item]) -> None:
    """Earlier ones may come too: the broker knows times by the second, and sends whole chunks."""
    async with asyncio.timeout(20):
        seen = [await waiting]
        while sequences(seen)[-1] != last:
            seen.append(await anext(events))
    assert sequences(seen) == [*range(1, last + 1)][-len(seen) :]


async def _readers(servers: Instance) -> set[str]:
    """Tags of the log's consumers, as the broker lists them."""
    async with management(servers.env) as broker:
        consumers = await broker.get("consumers", urls.vhost_of(servers.addresses.amqp))
    return {consumer["consumer_tag"] for consumer in consumers if consumer["queue"]["name"] == LOG}


async def test_repeats_are_dropped_and_gaps_are_told(mana: Mana, channel: AbstractChannel) -> None:
    user = str(uuid.uuid4())
    for sequence in (1, 2, 1, 2, 5, 6, 3):
        await publish(channel, sequence, user)
    for id_ in ("a", "b", "a"):
        await publish(channel, None, user, id_=f"{user}:{id_}")
    async with aclosing(mana.events(user_id=user)) as events:
        items = await take(events, 8)
    assert items[2] == Gap(user, 3, 5)
    assert sequences(items) == [1, 2, -1, 5, 6, 3, None, None]


async def test_repeats_are_known_over_a_restart(mana: Mana, channel: AbstractChannel) -> None:
    """Also those of a user whose events came some time before the position."""
    user, other = str(uuid.uuid4()), str(uuid.uuid4())
    for sequence in (1, 2):
        await publish(channel, sequence, user)
    await publish(channel, 1, other)
    async with aclosing(mana.events(user_id=other)) as events:
        [last] = await take(events, 1)
    for sequence in (1, 2, 4):
        await publish(channel, sequence, user)
    assert isinstance(last, Event)
    assert last.position is not None
    async with aclosing(mana.events(user_id=user, start=last.position)) as events:
        assert await take(events, 1) == [Gap(user, 3, 4)]


async def test_what_comes_late_of_a_user_first_seen_later_is_told(mana: Mana, channel: AbstractChannel) -> None:
    """As when an operator sends again what was lost, and the reader was started meanwhile."""
    user = str(uuid.uuid4())
    await publish(channel, 10, user)
    async with aclosing(mana.events(user_id=user)) as events:
        [first] = await take(events, 1)
    for sequence in (5, 10, 11):
        await publish(channel, sequence, user)
    assert isinstance(first, Event)
    assert first.position is not None
    async with aclosing(mana.events(user_id=user, start=first.position)) as events:
        assert sequences(await take(events, 2)) == [5, 11]


async def test_what_is_no_event_is_passed_over(
    mana: Mana, channel: AbstractChannel, caplog: pytest.LogCaptureFixture
) -> None:
    user = str(uuid.uuid4())
    exchange = await channel.get_exchange("credits.events", ensure=False)
    await exchange.publish(aio_pika.Message(b"{}"), "credits.used.chat")
    await publish(channel, 1, user)
    async with aclosing(mana.events(user_id=user)) as events:
        assert sequences(await take(events, 1)) == [1]
    assert "a message is no event" in caplog.text


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("events_of_the_new_one", [0, 1, 5])
async def test_another_log(mana: Mana, channel: AbstractChannel, tmp_path: Path, events_of_the_new_one: int) -> None:
    """Empty, shorter than the position, or longer: it is told, and read from its beginning."""
    user, store = str(uuid.uuid4()), FileStore(tmp_path / "position")
    await replace_log(channel)
    for sequence in (1, 2, 3):
        await publish(channel, sequence, user)
    async with aclosing(mana.events(user_id=user, position=store)) as events:
        await take(events, 3)
    stored = Position(1, f"{user}:2")
    assert await store.load() == stored
    await replace_log(channel)
    other = str(uuid.uuid4())
    for sequence in range(1, events_of_the_new_one + 1):
        await publish(channel, sequence, other)
    async with aclosing(mana.events(position=store)) as events:
        assert await take(events, 1) == [LogReplaced(stored)]
        following = asyncio.create_task(anext(events))
        await publish(channel, events_of_the_new_one + 1, other)
        async with asyncio.timeout(20):
            items = [await following, *await take(events, events_of_the_new_one)]
    assert sequences(items) == [*range(1, events_of_the_new_one + 2)]
    assert all(isinstance(item, Event) and item.user_id == other for item in items)


@pytest.mark.usefixtures("impatient")
async def test_the_log_is_replaced_under_the_reader(mana: Mana, channel: AbstractChannel) -> None:
    user = str(uuid.uuid4())
    await publish(channel, 1, user)
    async with aclosing(mana.events(user_id=user)) as events:
        [first] = await take(events, 1)
        waiting = asyncio.create_task(anext(events))
        await replace_log(channel)
        assert isinstance(first, Event)
        assert first.position is not None
        async with asyncio.timeout(20):
            assert await waiting == LogReplaced(first.position)
        await publish(channel, 2, user)
        assert sequences(await take(events, 1)) == [2]


@pytest.mark.usefixtures("small_log")
async def test_what_the_log_has_dropped_is_told(mana: Mana, channel: AbstractChannel) -> None:
    user = str(uuid.uuid4())
    await replace_log(channel, **{"x-stream-max-segment-size-bytes": 1_000})
    await publish(channel, 1, user)
    async with aclosing(mana.events(user_id=user)) as events:
        [first] = await take(events, 1)
    for sequence in range(2, 200):
        await publish(channel, sequence, user)
    assert isinstance(first, Event)
    assert first.position is not None
    async with aclosing(mana.events(user_id=user, start=first.position)) as events:
        missing, event = await take(events, 2)
    await replace_log(channel)
    assert isinstance(missing, LogGap)
    assert isinstance(event, Event)
    assert event.position is not None
    assert (missing.expected, missing.got) == (1, event.position.offset)
    assert missing.got > 1


async def test_the_log_is_for_apps_with_the_permission_alone(servers: Instance, channel: AbstractChannel) -> None:
    await publish(channel, 1, str(uuid.uuid4()))
    async with login(servers, CHAT, {"events:read"}) as url, aclosing(Mana(url).events()) as events:
        with pytest.raises(NotAllowed) as caught:
            await take(events, 1)
    assert (caught.value.what, caught.value.permission) == (f"queue '{LOG}'", "admin")
    async with login(servers, CHAT, {"admin"}) as url, aclosing(Mana(url).events()) as events:
        assert len(await take(events, 1)) == 1


async def test_a_queue_of_the_apps_own(servers: Instance, mana: Mana, user: str) -> None:
    async with login(servers, CHAT, {"events:read"}) as url:
        chat = Mana(url)
        async with aclosing(chat.events(queue="chat.credits")) as events:
            waiting = asyncio.create_task(anext(events))
            await _until_it_is_there(servers, "chat.credits")
            await mana.use(user, 1, description="d", app="notes")
            first = await mana.use(user, 1, description="d")
            second = await mana.use(user, 1, description="d")
            async with asyncio.timeout(20):
                event = await waiting
            assert isinstance(event, Event)
            assert (event.transaction, event.position) == (first.transaction, None)
            assert sequences(await take(events, 1)) == [second.transaction.sequence]
        third = await mana.use(user, 1, description="while nobody reads")
        async with aclosing(chat.events(queue="chat.credits")) as events:
            again = await take(events, 2)
        assert sequences(again) == [second.transaction.sequence, third.transaction.sequence]
    await _delete(servers, "chat.credits")


async def test_a_queue_over_lost_connections(servers: Instance, proxy: Proxy, mana: Mana, user: str) -> None:
    reader = Mana(proxy.url(servers.addresses.amqp))
    items = reader.events(queue="test.lost", topics=["credits.#"], user_id=user)
    async with aclosing(items) as events:
        waiting = asyncio.create_task(anext(events))
        await _until_it_is_there(servers, "test.lost")
        for _ in range(4):
            await mana.use(user, 1, description="d")
        async with asyncio.timeout(20):
            seen = [await waiting]
        await proxy.cut()  # while the first one is being handled
        seen += await take(events, 3)
    assert sequences(seen) == [2, 3, 4, 5]
    await _delete(servers, "test.lost")


async def test_what_one_reader_of_a_queue_returned_the_other_gets(
    servers: Instance, mana: Mana, channel: AbstractChannel
) -> None:
    """Though it has seen later ones of the same user."""
    user = str(uuid.uuid4())
    async with aclosing(mana.events(queue="test.shared", topics=["credits.#"], user_id=user)) as other:
        async with aclosing(mana.events(queue="test.shared", topics=["credits.#"], user_id=user)) as dying:
            waiting = asyncio.create_task(anext(dying))
            await _until_it_is_there(servers, "test.shared")
            await publish(channel, 5, user)
            async with asyncio.timeout(20):
                assert sequences([await waiting]) == [5]
            waiting = asyncio.create_task(anext(other))
            await _until_it_is_there(servers, "test.shared", readers=2)
            for sequence in (10, 11):  # by turns
                await publish(channel, sequence, user)
            async with asyncio.timeout(20):
                seen = [await waiting]
        seen += await take(other, 2)
    assert sorted(sequences(seen), key=str) == [10, 11, 5]
    await _delete(servers, "test.shared")


_NOT_ALLOWED: dict[str, tuple[frozenset[Permission], dict[str, Any], str, str | None]] = {
    "no events at all": (frozenset(), {}, "exchange 'credits.events'", "events:read"),
    "another app's": (
        frozenset({"events:read"}),
        {"topics": ["credits.used.mail"]},
        "topic 'credits.used.mail' in exchange 'credits.events'",
        "admin",
    ),
    "everybody's": (frozenset({"events:read"}), {"topics": ["#"]}, "topic '#' in exchange 'credits.events'", "admin"),
    "what is no app's": (
        frozenset({"events:read"}),
        {"types": ["user.deleted"]},
        "topic 'user.deleted.system' in exchange 'credits.events'",
        "admin",
    ),
    "another app's queue": (frozenset({"admin"}), {"queue": "mail.events"}, "queue 'mail.events'", None),
}


@pytest.mark.parametrize("case", _NOT_ALLOWED)
async def test_what_one_may_not_hear_is_told_with_the_permission_that_is_missing(servers: Instance, case: str) -> None:
    permissions, other, what, permission = _NOT_ALLOWED[case]
    wanted: dict[str, Any] = {"queue": "chat.refused", **other}
    async with login(servers, CHAT, permissions) as url, aclosing(Mana(url).events(**wanted)) as events:
        with pytest.raises(NotAllowed) as caught:
            await take(events, 1)
    assert (caught.value.what, caught.value.permission) == (what, permission)
    assert "ACCESS_REFUSED" in str(caught.value)


async def test_a_queue_of_types_that_are_no_apps(servers: Instance, mana: Mana, user: str) -> None:
    """They come with ``system`` for their last word, whichever app reads them."""
    async with aclosing(mana.events(queue="test.system", types=["credits.granted"])) as events:
        waiting = asyncio.create_task(anext(events))
        await _until_it_is_there(servers, "test.system")
        granted = await mana.grant(user, 5, description="d")
        async with asyncio.timeout(20):
            event = await waiting
    assert isinstance(event, Event)
    assert event.id == granted.transaction.id
    await _delete(servers, "test.system")


async def test_a_queue_of_another_kind(mana: Mana, channel: AbstractChannel) -> None:
    await channel.declare_queue("test.other", durable=False, auto_delete=True)
    async with aclosing(mana.events(queue="test.other")) as events:
        with pytest.raises(ManaError, match="another kind of queue"):
            await take(events, 1)
    await channel.queue_delete("test.other")


async def _until_it_is_there(servers: Instance, queue: str, readers: int = 1) -> None:
    """Declared and bound: it has a consumer, or so many."""
    async with await aio_pika.connect(servers.addresses.amqp) as connection, asyncio.timeout(20):
        while True:
            try:
                found = await (await connection.channel()).declare_queue(queue, passive=True)
                if (found.declaration_result.consumer_count or 0) >= readers:
                    return
            except aio_pika.exceptions.ChannelNotFoundEntity:
                pass  # not declared yet
            await asyncio.sleep(0.05)


async def _delete(servers: Instance, queue: str) -> None:
    async with await aio_pika.connect(servers.addresses.amqp) as connection:
        await (await connection.channel()).queue_delete(queue)
