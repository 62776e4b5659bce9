"""Whom Prometheus asks: all of our processes by kind, and the broker where it is ours."""

from __future__ import annotations

from pathlib import Path

from ops.monitoring import targets
from ops.program import Program
from ops.servers.prometheus import Target


async def _ready() -> bool:
    return True


def _program(name: str, port: int) -> Program:
    return Program(name, [], {}, Path("/"), _ready, url=f"http://127.0.0.1:{port}")


def test_workers_are_of_one_job_and_the_front_is_called_so() -> None:
    programs = [_program("worker-0", 1), _program("worker-1", 2), _program("api", 3), _program("mail", 4)]
    assert targets.of(programs, None) == {
        "worker": [Target("worker-0", "127.0.0.1:1"), Target("worker-1", "127.0.0.1:2")],
        "front": [Target("api", "127.0.0.1:3")],
        "mail": [Target("mail", "127.0.0.1:4")],
    }


def test_a_broker_of_ours_is_asked_for_its_sums_and_for_each_queue() -> None:
    own = [Target("rabbitmq", "127.0.0.1:5")]
    assert targets.of([], 5) == {"rabbitmq": own, "rabbitmq-queues": own}
