"""What RabbitMQ may do to us: die, stop, throw everybody out, run out of disk or memory, lose a queue.

Whoever needs it away for longer than its own start takes puts a proxy before it (``Proxy.down``), or stops the
application in the node (:meth:`Broker.stopped`).
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aio_pika
from msgspec import Struct

from ops import layout, state, urls
from ops.instance import Instance
from ops.management import Management
from tests.faults.tools.errors import ToolError
from tests.faults.tools.server import Server
from tests.faults.tools.telling import until

_UP_SECONDS: Final = 60.0
_ALARM_SECONDS: Final = 60.0
_MORE_THAN_ANY_DISK: Final = "1000000GB"
_LESS_THAN_ANY_NODE: Final = "0.0001"
# What management shows of queues is seconds old; this is the queues' own state.
_DEPTHS: Final = """
[begin
   Ask = fun(Query) -> {ok, {_, Number}, _} = ra:leader_query(amqqueue:get_pid(Q), Query), Number end,
   {element(4, amqqueue:get_name(Q)),
    Ask(fun rabbit_fifo:query_messages_ready/1), Ask(fun rabbit_fifo:query_messages_checked_out/1)}
 end || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) == rabbit_quorum_queue].
"""
_DEPTH: Final = re.compile(r'<<"([^"]+)">>,\s*(\d+),\s*(\d+)')


class Depth(Struct, frozen=True):
    """Messages of a queue: waiting, and given out without an acknowledgement so far."""

    ready: int
    unacked: int


class Layout(Struct, frozen=True):
    """A queue as it is declared and bound: ``bindings`` by exchange and routing key, the default exchange's too."""

    arguments: dict[str, Any]
    policy: str | None
    bindings: frozenset[tuple[str, str]]


class Broker:
    """The node of a private instance. Every fault raises ``ToolError`` where it did not happen."""

    def __init__(self, instance: Instance) -> None:
        self.server = Server(instance, "rabbitmq")
        self._url = instance.addresses.amqp
        self._management_url = instance.addresses.management
        remembered = state.load(instance.place.state)
        if remembered is None:
            raise ToolError(f"{instance.place.state} is missing")
        self._node = layout.remembered_rabbitmq(Path(remembered.data), remembered)

    async def settle(self) -> None:
        """To be called once, before the first kill.

        A node writes down half a second late which replicas it has: killed before that, a fresh one forgets the
        coordinator of its streams, and they stay down for good.
        """
        await self.evaluate("[ok = dets:sync(Table) || Table <- dets:all()].")

    async def kill(self) -> None:
        """SIGKILL; the instance's supervisor starts it again at once."""
        await self.server.end(signal.SIGKILL)

    async def wait_up(self, within: float = _UP_SECONDS) -> None:
        """Returns once it takes logins."""
        await self.server.ready(within)

        async def logs_in() -> bool:
            try:
                async with await aio_pika.connect(self._url):
                    return True
            except (OSError, aio_pika.exceptions.AMQPError):
                return False

        await until(logs_in, "RabbitMQ takes logins", within)

    async def stop_app(self) -> None:
        """Stops RabbitMQ inside its node: all connections are closed, and nobody listens."""
        await self.control("stop_app")

    async def start_app(self) -> None:
        """Starts it again, and waits until it takes logins."""
        await self.control("start_app")
        await self.wait_up()

    @asynccontextmanager
    async def stopped(self) -> AsyncGenerator[None]:
        """Without RabbitMQ until the block ends."""
        await self.stop_app()
        try:
            yield
        finally:
            await self.start_app()

    async def close_all_connections(self) -> int:
        """Throws everybody out; how many those were."""
        said = await self.control("close_all_connections", "a fault of a test")
        closed = re.search(r"Closed (\d+) connections", said)
        if closed is None or closed[1] == "0":
            raise ToolError(f"there was no connection to be closed: {said.strip()}")
        return int(closed[1])

    @asynccontextmanager
    async def disk_alarm(self) -> AsyncGenerator[None]:
        """Publishers are blocked until the block ends, as on a full disk."""
        limit = await self.evaluate("rabbit_disk_monitor:get_disk_free_limit().")
        await self.control("set_disk_free_limit", _MORE_THAN_ANY_DISK)
        try:
            await self._alarmed("disk", raised=True)
            yield
        finally:
            await self.control("set_disk_free_limit", limit)
            await self._alarmed("disk", raised=False)

    @asynccontextmanager
    async def memory_alarm(self) -> AsyncGenerator[None]:
        """Publishers are blocked until the block ends, as without memory."""
        # A private node's is absolute (ops.servers.rabbitmq); anything else ends here.
        limit = await self.evaluate("{absolute, Bytes} = vm_memory_monitor:get_vm_memory_high_watermark(), Bytes.")
        await self.control("set_vm_memory_high_watermark", _LESS_THAN_ANY_NODE)
        try:
            await self._alarmed("memory", raised=True)
            yield
        finally:
            await self.control("set_vm_memory_high_watermark", "absolute", limit)
            await self._alarmed("memory", raised=False)

    async def policy(self, name: str, pattern: str, definition: Mapping[str, Any], priority: int = 100) -> None:
        """Queues of this pattern are bound by it; ours have priorities below."""
        body = {"pattern": pattern, "definition": dict(definition), "priority": priority, "apply-to": "queues"}
        async with self._management() as management:
            await management.put("policies", self._vhost, name, body=body)

    async def remove_policy(self, name: str) -> None:
        """Gives it up again."""
        await self.control("clear_policy", "-p", self._vhost, name)

    async def delete_queue(self, name: str) -> None:
        """Deletes it with all that is in it, consumed or not."""
        await self.control("delete_queue", "-p", self._vhost, name)

    async def delete_queues(self, names: Collection[str]) -> None:
        """Deletes them as :meth:`delete_queue`, all at the same moment. Raises ``ToolError`` where one is missing."""
        if missing := set(names) - (await self.layouts()).keys():
            raise ToolError(f"there are no queues {missing}")
        async with self._management() as management:
            await asyncio.gather(*(management.delete("queues", self._vhost, name) for name in names))

    async def lay_anew(self, exchange: str, names: Sequence[str], arguments: Mapping[str, Any]) -> None:
        """Deletes them, and makes and binds them again, one after the other, with these arguments."""
        await self.delete_queues(names)
        async with self._management() as management:
            for name in names:
                await management.put("queues", self._vhost, name, body={"durable": True, "arguments": arguments})
                bound = {"routing_key": "1", "arguments": {}}
                await management.post("bindings", self._vhost, "e", exchange, "q", name, body=bound)

    async def purge_queue(self, name: str) -> None:
        """Drops all that waits in it."""
        await self.control("purge_queue", "-p", self._vhost, name)

    async def depths(self) -> dict[str, Depth]:
        """All quorum queues as they are now."""
        told = await self.evaluate(_DEPTHS)
        return {name: Depth(int(ready), int(unacked)) for name, ready, unacked in _DEPTH.findall(told)}

    async def layouts(self) -> dict[str, Layout]:
        """All queues, as they are declared and bound now."""
        async with self._management() as management:
            queues, bindings = await asyncio.gather(
                management.get("queues", self._vhost), management.get("bindings", self._vhost)
            )
        bound: dict[str, set[tuple[str, str]]] = {}
        for binding in bindings:
            if binding["destination_type"] == "queue":
                place = (binding["source"], binding["routing_key"])
                bound.setdefault(binding["destination"], set()).add(place)
        return {
            queue["name"]: Layout(queue["arguments"], queue.get("policy"), frozenset(bound.get(queue["name"], ())))
            for queue in queues
        }

    async def consumers(self) -> dict[str, list[str]]:
        """Who consumes each queue that is consumed, by the names that the connections gave themselves.

        Some seconds old, and only of connections that are still there.
        """
        async with self._management() as management:
            connections = await management.get("connections")
            consumers = await management.get("consumers", self._vhost)
        names = {connection["name"]: connection.get("user_provided_name", "") for connection in connections}
        found: dict[str, list[str]] = {}
        for consumer in consumers:
            details = consumer["channel_details"] or {}  # an empty list where the channel has just gone
            name = names.get(details.get("connection_name"))
            if name is not None:
                found.setdefault(consumer["queue"]["name"], []).append(name)
        return found

    async def evaluate(self, expression: str) -> str:
        """The value of an Erlang expression inside the node."""
        return (await self.control("eval", expression)).strip()

    async def control(self, *words: str) -> str:
        """Runs rabbitmqctl on this very node; what it said. Raises ``ToolError`` unless it exits with 0."""
        process = await asyncio.create_subprocess_exec(
            *self._node.control(*words),
            env=self._node.environment(),
            cwd=self._node.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
        )
        try:
            said = (await process.communicate())[0].decode(errors="replace")
        finally:
            if process.returncode is None:  # whoever asks has given up; what it started holds the pipe open, too
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode != 0:
            raise ToolError(f"rabbitmqctl {words[0]} ended with {process.returncode}: {said.strip()[-1000:]}")
        return said

    async def _alarmed(self, resource: str, *, raised: bool) -> None:
        async def look() -> bool:
            return (f"{{resource_limit,{resource}," in await self.evaluate("rabbit_alarm:get_alarms().")) == raised

        await until(look, f"the alarm for {resource} is {'raised' if raised else 'cleared'}", _ALARM_SECONDS)

    @property
    def _vhost(self) -> str:
        return urls.vhost_of(self._url)

    def _management(self) -> Management:
        return Management(self._management_url, *urls.login_of(self._url))
