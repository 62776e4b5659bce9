"""What is declared at the broker, against a management API that only remembers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from contracts.topology import ADMIN_LOGIN, BOUNDS_DEFAULT, LOGINS, Bounds, broker_topology
from ops import topology
from ops.errors import LauncherError
from ops.management import Management

PASSWORDS = {login.name: f"password of {login.name}" for login in LOGINS}


class Remembering:
    """Holds definitions as RabbitMQ tells them, and counts what was changed."""

    def __init__(self) -> None:
        self.held: dict[str, list[dict[str, Any]]] = {"exchanges": [], "queues": [], "bindings": []}
        self.made: list[str] = []
        self.permissions: dict[str, Mapping[str, Any]] = {}
        self.definitions: dict[str, Mapping[str, Any]] = {}

    async def get(self, *path: str) -> Any:
        assert path == ("definitions", "/")
        return self.held

    async def put(self, kind: str, *path: str, body: Mapping[str, Any]) -> None:
        self.made.append(kind)
        if kind in ("exchanges", "queues"):
            self.held[kind].append({"name": path[-1], **body})
        elif kind in ("policies", "operator-policies"):
            self.definitions[path[-1]] = body["definition"]
        elif kind == "permissions":
            self.permissions[path[-1]] = body

    async def post(self, kind: str, *path: str, body: Mapping[str, Any]) -> None:
        self.made.append(kind)
        self.held[kind].append({"source": path[2], "destination": path[4], "routing_key": body["routing_key"]})


class Nodes:
    """The management API of a cluster."""

    def __init__(self, *names: str) -> None:
        self.names = names

    async def get(self, *path: str) -> Any:
        assert path == ("nodes",)
        return [{"name": name, "running": False} for name in self.names]


async def test_who_says_that_a_cluster_is_one_node_is_refused() -> None:
    """Also while all but one of its nodes are down."""
    await topology.refuse_several_nodes(cast("Management", Nodes("rabbit@a")))
    with pytest.raises(LauncherError, match=r"MANA_SINGLE_BROKER_NODE is true.* 2 nodes \(rabbit@a, rabbit@b\)"):
        await topology.refuse_several_nodes(cast("Management", Nodes("rabbit@b", "rabbit@a")))


async def declare(broker: Remembering, partitions: int = 4, bounds: Bounds = BOUNDS_DEFAULT) -> None:
    await topology.declare(cast("Management", broker), "/", partitions, PASSWORDS, bounds)


async def test_everything_of_the_contract_is_made() -> None:
    broker, wanted = Remembering(), broker_topology(4)
    await declare(broker)
    assert {queue["name"] for queue in broker.held["queues"]} == {queue.name for queue in wanted.queues}
    assert broker.made.count("policies") == len(wanted.policies)
    assert set(broker.permissions) == {login.name for login in LOGINS} - {ADMIN_LOGIN}


async def test_bindings_are_made_in_the_order_of_the_partitions() -> None:
    broker = Remembering()
    await declare(broker)
    bound = [b["destination"] for b in broker.held["bindings"] if b["source"] == "credits.commands"]
    assert bound == [f"credits.commands.{number}" for number in range(4)]


async def test_a_second_time_makes_no_queue_exchange_or_binding() -> None:
    broker = Remembering()
    await declare(broker)
    broker.made.clear()
    await declare(broker)
    assert set(broker.made) == {"policies", "operator-policies", "users", "permissions"}


async def test_other_bounds_change_the_policies() -> None:
    broker = Remembering()
    await declare(broker)
    before = dict(broker.definitions)
    bounds = Bounds(300_000_000, timedelta(days=90), subscriber_queue_bytes=2_000_000, subscriber_queue_length=3_000)
    await declare(broker, bounds=bounds)
    changed = {name: value for name, value in broker.definitions.items() if value != before[name]}
    assert changed == {
        "mana-events-log": {
            "max-length-bytes": 300_000_000,
            "max-age": "7776000s",
            "stream-max-segment-size-bytes": 100_000_000,
        },
        "mana-others": {"max-length": 3_000, "max-length-bytes": 2_000_000},
    }


async def test_what_is_missing_is_added() -> None:
    broker = Remembering()
    await declare(broker)
    lost = broker.held["bindings"].pop()
    await declare(broker)
    assert broker.held["bindings"][-1] == lost


async def test_other_arguments_are_refused_and_nothing_is_changed() -> None:
    broker = Remembering()
    await declare(broker)
    broker.held["queues"][0]["arguments"] = {"x-queue-type": "classic"}
    broker.made.clear()
    with pytest.raises(LauncherError, match=r"The queue credits\.commands\.0 exists with"):
        await declare(broker)
    assert broker.made == []


@pytest.mark.parametrize("asked", [3, 5])
async def test_another_number_of_partitions_is_refused(asked: int) -> None:
    broker = Remembering()
    await declare(broker)
    with pytest.raises(LauncherError, match=f"4 partitions, and {asked} were asked for"):
        await declare(broker, asked)
