"""Goal: whoever speaks to the broker finds the node that lives behind a name of several."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from mana_client.link import Link as ClientsLink

from api.broker.link import Link as FrontsLink
from contracts.topology import FRONT_LOGIN, WORKER_LOGIN
from ops.instance import Instance
from tests.unit.contracts.test_dialling import in_order
from workers.broker.link import Link

_SEVERAL = "brokers.test"


@pytest.fixture(autouse=True)
def _one_of_two_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = socket.getaddrinfo

    def several(host: Any, port: Any, *others: Any, **options: Any) -> Any:
        if host != _SEVERAL:
            return resolved(host, port, *others, **options)
        return [*resolved("127.0.0.2", port, *others, **options), *resolved("127.0.0.1", port, *others, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    monkeypatch.setattr("random.sample", in_order)


async def test_the_broker_by_a_name_of_several_nodes(servers: Instance) -> None:
    def several(url: str) -> str:
        return url.replace("127.0.0.1", _SEVERAL)

    worker, front, client = await asyncio.gather(
        Link.open(several(servers.addresses.amqp_as(WORKER_LOGIN)), "test"),
        FrontsLink.open(several(servers.addresses.amqp_as(FRONT_LOGIN)), None),
        ClientsLink.open(lambda: several(servers.addresses.amqp), lambda _id, _body: None),
    )
    for link in (worker, front, client):
        await link.close()
