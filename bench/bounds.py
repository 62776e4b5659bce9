"""The bound of the commands' queues, raised or lowered for as long as a measurement needs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from contracts.topology import COMMAND_QUEUE_BYTES, broker_topology
from ops import urls
from ops.management import Management

_POLICY: Final = "bench-commands"
_ABOVE_OURS: Final = 9


def management(env: Mapping[str, str]) -> Management:
    """The management API of the instance with these public addresses, as the administrator."""
    return Management(env["MANA_RABBITMQ_MANAGEMENT_URL"], *urls.login_of(env["MANA_AMQP_URL"]))


@asynccontextmanager
async def bounded(env: Mapping[str, str], length: int) -> AsyncGenerator[None]:
    """Each partition holds up to ``length`` commands, by a policy above the topology's; that one rules again behind.

    A policy is in force at a queue shortly after it was made: whoever fills at once may still meet the bound before.
    Raises ``LauncherError``.
    """
    [pattern] = (policy.pattern for policy in broker_topology(1).policies if policy.name == "mana-commands")
    vhost = urls.vhost_of(env["MANA_AMQP_URL"])
    body = {
        "pattern": pattern,
        "definition": {"max-length": length, "max-length-bytes": COMMAND_QUEUE_BYTES},
        "apply-to": "queues",
        "priority": _ABOVE_OURS,
    }
    async with management(env) as broker:
        await broker.put("policies", vhost, _POLICY, body=body)
        try:
            yield
        finally:
            await broker.delete("policies", vhost, _POLICY)
