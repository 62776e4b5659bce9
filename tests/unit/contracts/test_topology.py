"""Goal: the broker's topology is the contract's; an argument of a queue can never be changed once it exists."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from contracts.topology import LOGINS, Bounds, BrokerLogin, broker_topology, command_queue, is_ours, may_stay

TOPOLOGY = broker_topology(3, queue_length=77)


def test_exchanges() -> None:
    assert [(exchange.name, exchange.type, exchange.durable) for exchange in TOPOLOGY.exchanges] == [
        ("credits.commands", "x-consistent-hash", True),
        ("credits.dead", "direct", True),
        ("credits.events", "topic", True),
        ("mana.mail", "fanout", True),
        ("stripe.events", "fanout", True),
    ]


def test_queues_and_their_arguments() -> None:
    commands = {
        "x-queue-type": "quorum",
        "x-single-active-consumer": True,
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": "credits.dead",
        "x-dead-letter-routing-key": "credits.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-delivery-limit": 1_000_000,
    }
    assert {queue.name: queue.arguments for queue in TOPOLOGY.queues} == {
        "credits.commands.0": commands,
        "credits.commands.1": commands,
        "credits.commands.2": commands,
        "credits.dead": {"x-queue-type": "quorum", "x-overflow": "reject-publish"},
        "credits.dead.broker": {"x-queue-type": "quorum", "x-overflow": "drop-head"},
        "credits.events.log": {"x-queue-type": "stream"},
        "mana.mail": {"x-queue-type": "quorum", "x-overflow": "reject-publish"},
        "stripe.events": {
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-delivery-limit": 1_000_000,
        },
    }


def test_bindings_in_the_order_of_the_partitions_each_of_weight_1() -> None:
    assert [(binding.exchange, binding.queue, binding.routing_key) for binding in TOPOLOGY.bindings] == [
        ("credits.commands", "credits.commands.0", "1"),
        ("credits.commands", "credits.commands.1", "1"),
        ("credits.commands", "credits.commands.2", "1"),
        ("credits.dead", "credits.dead.broker", "credits.dead"),
        ("credits.events", "credits.events.log", "#"),
        ("mana.mail", "mana.mail", ""),
        ("stripe.events", "stripe.events", ""),
    ]


def test_every_queue_is_bounded_by_exactly_one_policy() -> None:
    for queue in TOPOLOGY.queues:
        (policy,) = (policy for policy in TOPOLOGY.policies if re.search(policy.pattern, queue.name))
        assert policy.apply_to == "queues"
        assert "max-length-bytes" in policy.definition
    assert TOPOLOGY.policies[0].definition == {"max-length": 77, "max-length-bytes": 256 * 2**20}
    assert TOPOLOGY.policies[1].definition == {
        "max-length": 1_000_000,
        "max-length-bytes": 2 * 2**30,
        "delivery-limit": 1_000_000,
    }
    assert TOPOLOGY.policies[2].definition == {
        "max-length": 100_000,
        "max-length-bytes": 256 * 2**20,
        "delivery-limit": 1_000_000,
    }
    assert not any(re.search(policy.pattern, "a.clients.queue") for policy in TOPOLOGY.policies)


def test_every_other_queue_is_bounded_by_the_operators_policy_and_none_of_ours() -> None:
    (others,) = TOPOLOGY.operator_policies
    assert others.definition == {"max-length": 1_000_000, "max-length-bytes": 1_000_000_000}
    assert not any(re.search(others.pattern, queue.name) for queue in broker_topology(33).queues)
    for name in (
        "credits", "manage", "mana", "stripe", "stripe.events2", "xstripe.events", "mana.mail2", "mana.mailbox", "a\nb",
        "credits.commands", "credits.commands.", "credits.commands.1x", "credits.commands.x", "xcredits.commands.1",
        "credits.dead2", "creditsxdead", "xcredits.dead", "credits.dead.broker2",
        "credits.dead.x", "credits.events", "credits.events.log2", "amq.gen-JzTY20B",
        "chat.a", "",
    ):  # fmt: skip
        assert re.search(others.pattern, name), name


def test_what_the_log_keeps_is_bounded_in_whole_segments() -> None:
    bounds = Bounds(events_log_bytes=400_000_000, events_log_age=timedelta(hours=1))
    (log,) = (policy for policy in broker_topology(1, bounds=bounds).policies if policy.name == "mana-events-log")
    assert log.definition == {
        "max-length-bytes": 400_000_000,
        "max-age": "3600s",
        "stream-max-segment-size-bytes": 100_000_000,
    }


def test_dead_letters_may_go_by_age() -> None:
    policies = broker_topology(1, bounds=Bounds(dead_letters_age=timedelta(days=1))).policies
    aged = {policy.name: age for policy in policies if (age := policy.definition.get("message-ttl"))}
    assert aged == {"mana-dead": 86_400_000, "mana-given-up": 86_400_000}


def test_a_queue_of_commands_of_a_version_before_may_stay_and_no_other() -> None:
    queues = {queue.name: queue for queue in TOPOLOGY.queues}
    commands, dead = queues["credits.commands.0"], queues["credits.dead"]
    before = {**commands.arguments, "x-dead-letter-exchange": ""}
    assert may_stay(commands, commands.arguments)
    assert may_stay(commands, before)
    assert not may_stay(commands, {**before, "x-delivery-limit": 20})
    assert not may_stay(dead, before)


def test_every_queue_is_ours() -> None:
    assert all(is_ours(queue.name) for queue in TOPOLOGY.queues)
    assert not is_ours("replies")


def login(name: str) -> BrokerLogin:
    (found,) = (login for login in LOGINS if login.name == name)
    return found


@pytest.mark.parametrize(
    ("name", "configure", "write", "read"),
    [
        ("mana-front", set[str](), {"credits.commands", "mana.mail", "stripe.events"}, set[str]()),
        ("mana-mail", set[str](), set[str](), {"mana.mail"}),
        ("mana-redrive", {"mana.dead.look"}, {"credits.commands"}, {"credits.dead", "credits.dead.broker"}),
        ("mana-relay", set[str](), {"amq.default", "credits.commands", "credits.events", "mana.mail"}, set[str]()),
        ("mana-payments", set[str](), {"credits.commands", "credits.events", "stripe.events"}, {"stripe.events"}),
        (
            "mana-worker",
            {"credits.commands.0", "credits.commands.31", "credits.dead", "credits.events.log"},
            {
                *("amq.default", "credits.commands", "credits.events", "credits.dead"),
                *("credits.commands.0", "credits.commands.31"),
            },
            {"amq.default", "credits.commands", "credits.commands.0", "credits.commands.31"},
        ),
    ],
)
def test_logins_may_what_they_need_and_no_more(name: str, configure: set[str], write: set[str], read: set[str]) -> None:
    names = {
        "amq.default", "credits.commands", "credits.events", "credits.dead", "credits.events.log", "stripe.events",
        command_queue(0), command_queue(31), "credits.commands.x", "xcredits.commands.0", "credits.commands.0x", "x",
        "credits.dead.x", "xcredits.dead",
        "credits.dead.broker", "credits.dead.broker.x", "mana.dead.look", "mana.dead.lookx",
        "credits.events.log.x", "xcredits.events.log",
        "mana.mail", "mana.mail.x", "xmana.mail",
    }  # fmt: skip
    permissions = login(name)
    for pattern, allowed in ((permissions.configure, configure), (permissions.write, write), (permissions.read, read)):
        assert {name for name in names if re.search(pattern, name)} == allowed
    assert permissions.tags == ()


def test_the_administrator_may_all() -> None:
    administrator = login("mana-admin")
    assert (administrator.configure, administrator.write, administrator.read) == (".*", ".*", ".*")
    assert administrator.tags == ("administrator",)
