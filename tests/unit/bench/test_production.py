"""`bench production`: the trace begun again, and what counts as having grown."""

from __future__ import annotations

import os
import socket

import pytest

from bench.production import flat, repeated
from bench.production_gauges import Look, open_files
from bench.replay.trace import Request

REQUESTS = [Request(2, 0.0, 1), Request(3, 1.5, 2), Request(4, 4.0, 3)]


def test_the_trace_begins_again_until_its_time_is_over() -> None:
    again = list(repeated(REQUESTS, 9.0))
    assert [(request.at, request.credits) for request in again] == [
        (0.0, 1), (1.5, 2), (4.0, 3), (4.0, 1), (5.5, 2), (8.0, 3), (8.0, 1),
    ]  # fmt: skip
    assert len({request.line for request in again}) == len(again), "a key of its own for each"


def _look(
    megabytes: float = 50.0,
    files: float = 20.0,
    connections: float = 11.0,
    of_a_worker: float = 17.0,
    broker: float = 90.0,
    postgres: float = 300.0,
) -> Look:
    return Look(
        {"api": megabytes, "postgres": postgres, "rabbitmq": broker, "worker-0": 50.0},
        {"api": files, "postgres": 90.0, "rabbitmq": 70.0, "worker-0": of_a_worker},
        {"RabbitMQ": connections},
    )


@pytest.mark.parametrize(
    ("end", "missed"),
    [
        (_look(), []),
        (_look(megabytes=69.0, files=30.0, connections=17.0, of_a_worker=21.0), []),
        (_look(broker=224.0, postgres=374.0), []),
        (_look(broker=225.0), ["rabbitmq: MB"]),
        (_look(postgres=376.0), ["postgres: MB"]),
        (_look(megabytes=71.0), ["api: MB"]),
        (_look(files=31.0), ["api: open files"]),
        (_look(of_a_worker=22.0), ["worker-0: open files"]),
        (_look(connections=18.0), ["RabbitMQ: connections"]),
        (
            Look({}, {}, {}),
            [
                *("api: MB", "api: open files", "postgres: MB", "rabbitmq: MB", "worker-0: MB", "worker-0: open files"),
                "RabbitMQ: connections",
            ],
        ),
    ],
)
def test_what_has_grown_is_told(end: Look, missed: list[str]) -> None:
    assert [goal.name for goal in flat(_look(), end) if not goal.reached] == missed


def test_connections_of_clients_are_not_counted() -> None:
    own = os.getpid()
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = open_files(own)
        with socket.create_connection(server.getsockname()) as asked, server.accept()[0]:
            assert open_files(own) == before + 1, "the end that asked is this process's own"
            assert asked.fileno() > 0
        assert open_files(own) == before
