"""What the broker holds while it is under load: commands, memory, disk; looked at every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.bounds import management
from contracts.topology import COMMANDS_EXCHANGE
from ops import urls
from ops.instance import Instance
from ops.management import Management

_LOOK_SECONDS: Final = 5.0
"""The management API's own figures are that old."""
_MEGABYTE: Final = 1_000_000


@dataclass
class Held:
    """The most that was seen: commands in the queues, and the node's memory and data in units of 10^6 bytes."""

    commands: int = 0
    memory_mb: float = 0.0
    disk_mb: float = 0.0


@asynccontextmanager
async def watched(instance: Instance) -> AsyncGenerator[Held]:
    """Looks until the end of the block. Raises ``LauncherError``."""
    held, env, data = Held(), instance.env, instance.data / "rabbitmq"
    async with management(env) as broker:
        task = asyncio.create_task(_watch(held, broker, urls.vhost_of(env["MANA_AMQP_URL"]), data))
        try:
            yield held
        finally:
            task.cancel()
            await asyncio.wait((task,))
        if not task.cancelled():
            task.result()


async def _watch(held: Held, broker: Management, vhost: str, data: Path) -> None:
    while True:
        queues = await broker.get("queues", vhost)
        nodes = await broker.get("nodes")
        commands = sum(each.get("messages", 0) for each in queues if each["name"].startswith(f"{COMMANDS_EXCHANGE}."))
        held.commands = max(held.commands, commands)
        held.memory_mb = max(held.memory_mb, *(node.get("mem_used", 0) / _MEGABYTE for node in nodes))
        held.disk_mb = max(held.disk_mb, await asyncio.to_thread(_bytes_in, data) / _MEGABYTE)
        await asyncio.sleep(_LOOK_SECONDS)


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except FileNotFoundError:
            continue  # a segment that is done with
    return total
