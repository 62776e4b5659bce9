"""Goal: of a server's nodes one that lives is found, also where another refuses, or is silent as a lost machine is."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from mana_client import dialling as clients

from contracts import dialling as ours

_HOST = "127.0.0.1"
_Address = tuple[str, int]


def in_order(found: list[Any], _count: int) -> list[Any]:
    """Instead of chance."""
    return found


@pytest.fixture(params=[ours, clients], ids=["ours", "the client's"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Both, patient for a moment only, and in the resolver's order."""
    monkeypatch.setattr(request.param, "ADDRESS_SECONDS", 0.1)
    monkeypatch.setattr("random.sample", in_order)
    return request.param


@pytest.fixture
def sockets() -> Generator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def _listening(sockets: ExitStack, backlog: int = 8) -> _Address:
    one = sockets.enter_context(socket.create_server((_HOST, 0), backlog=backlog))
    return one.getsockname()


def _silent(sockets: ExitStack) -> _Address:
    """Its queue is full, so that the kernel answers nobody."""
    address = _listening(sockets, backlog=0)
    for _ in range(4):
        one = sockets.enter_context(socket.socket())
        one.setblocking(False)
        one.connect_ex(address)
    return address


def _refusing() -> _Address:
    with socket.create_server((_HOST, 0)) as one:
        return one.getsockname()


def _named(monkeypatch: pytest.MonkeyPatch, *addresses: _Address) -> None:
    def resolved(host: str, *_: Any, **__: Any) -> list[Any]:
        assert host == "brokers.test"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


async def test_one_that_lives_is_found(module: ModuleType, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    living = _listening(sockets)
    _named(monkeypatch, _refusing(), _silent(sockets), living)
    with await module.dialled("brokers.test", 5672) as reached:
        assert reached.getpeername() == living
        assert reached.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_none_lives(module: ModuleType, sockets: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    _named(monkeypatch, _silent(sockets), _refusing())
    with pytest.raises(ConnectionRefusedError):
        await module.dialled("brokers.test", 5672)
