"""`./mana test --containers` where no Docker engine answers; and what RabbitMQ 4 takes no more."""

from __future__ import annotations

import ast
import os
import re
import socket
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

import pytest

from contracts.topology import MAIL_QUEUE, PARTITIONS_DEFAULT, Queue, broker_topology
from ops.place import CHECKOUT
from tests import containers

TOPOLOGY = broker_topology(PARTITIONS_DEFAULT)
_OF_QUORUM = {
    *("x-queue-type", "x-single-active-consumer", "x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key"),
    *("x-dead-letter-strategy", "x-delivery-limit", "x-max-length", "x-max-length-bytes"),
}
_GONE = re.compile("ha-.*|queue-mode|queue-version|queue-master-locator|max-priority")
_SOURCES = [path for room in ("api", "workers", "clients", "examples") for path in (CHECKOUT / room).rglob("*.py")]


def test_without_an_engine_nothing_is_run_and_that_is_said() -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "tests.containers"]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == containers.NO_ENGINE
    assert done.stderr.startswith("No Docker engine answers: nothing was run (")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


class _SilentContainer:
    """What Docker shows of a container whose server has not come yet: each port takes connections, and says nothing."""

    def __init__(self, image: str) -> None:
        self.image = image
        self._ports = dict[int, socket.socket]()

    def with_envs(self, **_told: str) -> Self:
        return self

    def with_command(self, _command: list[str]) -> Self:
        return self

    def with_volume_mapping(self, _source: str, _target: str, _mode: str) -> Self:
        return self

    def with_exposed_ports(self, *ports: int) -> Self:
        self._ports = {port: socket.create_server(("127.0.0.1", 0)) for port in ports}
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for listening in self._ports.values():
            listening.close()

    def get_container_host_ip(self) -> str:
        return "127.0.0.1"

    def get_exposed_port(self, port: int) -> int:
        return self._ports[port].getsockname()[1]


def test_of_servers_that_do_not_come_it_says_which_and_runs_nothing_on_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(containers, "engine", lambda: None)
    monkeypatch.setattr(containers, "DockerContainer", _SilentContainer)
    monkeypatch.setattr(containers, "PATIENCE_SECONDS", 0.2)
    assert containers.main() == 1
    first, second, last = capsys.readouterr().err.splitlines()
    for said in (first, second):
        assert re.fullmatch(
            r"No answer within 0\.2 s, or the login is refused: PostgreSQL at 127\.0\.0\.1:\d+, RabbitMQ at \S+,"
            r" RabbitMQ's management API at \S+, Redis at \S+\.",
            said,
        )
        assert "of-containers-alone" not in said
    assert last == f"failed on {', '.join(containers.RABBITMQ)}"


@pytest.mark.parametrize("queue", TOPOLOGY.queues, ids=lambda queue: queue.name)
def test_queues_are_of_kinds_that_stay_with_arguments_that_they_know(queue: Queue) -> None:
    kind = queue.arguments["x-queue-type"]
    assert kind in {"quorum", "stream"}
    assert set(queue.arguments) <= (_OF_QUORUM if kind == "quorum" else {"x-queue-type"})


@pytest.mark.parametrize("queue", TOPOLOGY.queues, ids=lambda queue: queue.name)
def test_no_queue_lives_by_a_delivery_limit_that_rabbitmq_4_made_20(queue: Queue) -> None:
    """A bell alone may: what is lost with it is rung again (docs/decisions/0019)."""
    if queue.arguments["x-queue-type"] == "stream" or queue.name == MAIL_QUEUE:
        return
    held: list[dict[str, Any]] = [p.definition for p in TOPOLOGY.policies if re.search(p.pattern, queue.name)]
    limits = [queue.arguments.get("x-delivery-limit"), *(definition.get("delivery-limit") for definition in held)]
    assert max(limit or 0 for limit in limits) >= 1_000_000


def test_no_policy_asks_for_what_is_gone() -> None:
    for policy in (*TOPOLOGY.policies, *TOPOLOGY.operator_policies):
        assert not [key for key in policy.definition if _GONE.fullmatch(key)], policy.name


def test_no_prefetch_is_meant_for_all_consumers_of_a_channel() -> None:
    """RabbitMQ 4.3 takes no global one."""
    calls = 0
    for path in _SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("qos"):
                calls += 1
                assert len(node.args) <= 1, path
                assert not [word for word in node.keywords if word.arg and word.arg.startswith("global")], path
    assert calls >= 5
