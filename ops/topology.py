"""Makes the broker's exchanges, queues, bindings, policies and logins exist as `contracts.topology` has them.

A queue's arguments cannot be changed, and removing a binding of the hash exchange would send every user elsewhere.
So what exists is compared first, only what is missing is made, and nothing is ever taken away.
"""

import asyncio
import re
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.topology import (
    COMMANDS_EXCHANGE,
    QUEUE_LENGTH_DEFAULT,
    Bounds,
    BrokerTopology,
    OperatorPolicy,
    Policy,
    broker_topology,
    may_stay,
)
from ops import broker_logins
from ops.errors import LauncherError
from ops.management import Management

# Each quorum queue costs the broker some disk work; more at once does not make it faster.
_AT_ONCE = 8
_PARTITION = re.compile(re.escape(COMMANDS_EXCHANGE) + r"\.(\d+)")


@dataclass(frozen=True)
class Existing:
    """What a virtual host holds already."""

    exchanges: Mapping[str, tuple[str, dict[str, Any]]]
    queues: Mapping[str, dict[str, Any]]
    bindings: frozenset[tuple[str, str, str]]

    @property
    def partitions(self) -> int:
        """How many partitions there are; 0 for a fresh broker."""
        return sum(1 for name in self.queues if _PARTITION.fullmatch(name))


async def declare(
    broker: Management, vhost: str, partitions: int, passwords: Mapping[str, str], bounds: Bounds
) -> None:
    """Make topology and logins exist, whoever's the logins were. Raises LauncherError when what exists differs.

    Bounds may differ from those of before: policies are changed to them.
    """
    existing = await _existing(broker, vhost)
    _agree(partitions, existing.partitions)
    wanted = broker_topology(partitions, QUEUE_LENGTH_DEFAULT, bounds)
    _compare(wanted, existing)
    # Policies first: queues are born with their bounds. Bindings last: no command meets an exchange half bound
    # to queues that are missing.
    await _all(_policies(broker, vhost, wanted))
    await _all([*_exchanges(broker, vhost, wanted, existing), *_queues(broker, vhost, wanted, existing)])
    await _bind(broker, vhost, wanted, existing)
    await broker_logins.make(broker, vhost, passwords)


async def refuse_several_nodes(broker: Management) -> None:
    """For who is told that the broker is one node. Raises LauncherError where it is a cluster, or was one."""
    nodes = sorted(node["name"] for node in await broker.get("nodes"))
    if len(nodes) > 1:
        raise LauncherError(
            f"MANA_SINGLE_BROKER_NODE is true, and RabbitMQ has {len(nodes)} nodes ({', '.join(nodes)}): workers would"
            " take replies to clients of all but one for forged. Say false."
        )


async def partitions_of(broker: Management, vhost: str) -> int | None:
    """How many partitions a running broker has, None for a fresh one."""
    async with broker:
        return (await _existing(broker, vhost)).partitions or None


async def _existing(broker: Management, vhost: str) -> Existing:
    held = await broker.get("definitions", vhost)
    return Existing(
        exchanges={e["name"]: (e["type"], e["arguments"]) for e in held["exchanges"]},
        queues={q["name"]: q["arguments"] for q in held["queues"]},
        bindings=frozenset((b["source"], b["destination"], b["routing_key"]) for b in held["bindings"]),
    )


def _agree(asked: int, present: int) -> None:
    if present not in (0, asked):
        raise LauncherError(
            f"The broker holds {present} partitions, and {asked} were asked for: their number is fixed once commands"
            f" flow, so start with --partitions {present}, or give up the data with ./mana down --purge."
        )


def _compare(wanted: BrokerTopology, existing: Existing) -> None:
    for queue in wanted.queues:
        held = existing.queues.get(queue.name)
        if held is not None and not may_stay(queue, held):
            raise LauncherError(_differs("queue", queue.name, held, queue.arguments))
    for exchange in wanted.exchanges:
        found = existing.exchanges.get(exchange.name)
        if found is not None and found != (exchange.type, exchange.arguments):
            raise LauncherError(_differs("exchange", exchange.name, found, (exchange.type, exchange.arguments)))


def _differs(kind: str, name: str, held: object, wanted: object) -> str:
    return (
        f"The {kind} {name} exists with {held} where {wanted} is needed: the broker cannot change it,"
        f" so drain and delete it, or use another virtual host."
    )


def _policies(broker: Management, vhost: str, wanted: BrokerTopology) -> Iterable[Coroutine[Any, Any, None]]:
    for policy in wanted.policies:
        yield broker.put("policies", vhost, policy.name, body=policy_body(policy))
    for policy in wanted.operator_policies:
        yield broker.put("operator-policies", vhost, policy.name, body=policy_body(policy))


def policy_body(policy: Policy | OperatorPolicy) -> dict[str, Any]:
    """A policy as the management API and definitions have it."""
    return {
        "pattern": policy.pattern,
        "definition": policy.definition,
        "apply-to": policy.apply_to,
        "priority": policy.priority,
    }


def _exchanges(
    broker: Management, vhost: str, wanted: BrokerTopology, existing: Existing
) -> Iterable[Coroutine[Any, Any, None]]:
    for exchange in wanted.exchanges:
        if exchange.name not in existing.exchanges:
            body = {"type": exchange.type, "durable": exchange.durable, "arguments": exchange.arguments}
            yield broker.put("exchanges", vhost, exchange.name, body=body)


def _queues(
    broker: Management, vhost: str, wanted: BrokerTopology, existing: Existing
) -> Iterable[Coroutine[Any, Any, None]]:
    for queue in wanted.queues:
        if queue.name not in existing.queues:
            yield broker.put("queues", vhost, queue.name, body={"durable": True, "arguments": queue.arguments})


async def _bind(broker: Management, vhost: str, wanted: BrokerTopology, existing: Existing) -> None:
    """One after the other, as they stand: the hash exchange's buckets are numbered in the order of the bindings."""
    for binding in wanted.bindings:
        if (binding.exchange, binding.queue, binding.routing_key) not in existing.bindings:
            body = {"routing_key": binding.routing_key, "arguments": binding.arguments}
            await broker.post("bindings", vhost, "e", binding.exchange, "q", binding.queue, body=body)


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Coroutine[Any, Any, None]) -> None:
        async with places:
            await call

    await asyncio.gather(*(one(call) for call in calls))
