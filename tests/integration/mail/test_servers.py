"""PostgreSQL and RabbitMQ die and come back: mails are sent all the same, and nobody needs to help."""

from __future__ import annotations

import os
import signal

import asyncpg
import pytest

from ops.instance import Instance
from tests.integration.mail.box import Mailbox
from tests.integration.mail.orders import order
from tests.integration.workers.running import until

pytestmark = pytest.mark.own_servers


def _kill(servers: Instance, name: str, number: signal.Signals) -> None:
    (pid,) = (process.pid for process in servers.status.processes if process.name == name)
    assert pid is not None
    os.kill(pid, number)


async def _connects(servers: Instance) -> bool:
    try:
        await (await asyncpg.connect(servers.addresses.database_as("mana_owner"))).close()
    except (OSError, asyncpg.PostgresError):
        return False
    return True


async def test_postgresql_is_killed_and_comes_back(box: Mailbox, servers: Instance) -> None:
    _kill(servers, "postgres", signal.SIGQUIT)
    await until(lambda: _connects(servers), "PostgreSQL is back")
    owner = await asyncpg.connect(servers.addresses.database_as("mana_owner"))
    _, email = await order(owner)
    await box.until(email, "reset_requested", within=60)
    await owner.close()
    await box.worker.ready()


async def test_rabbitmq_is_killed_and_comes_back(box: Mailbox, servers: Instance, owner: asyncpg.Connection) -> None:
    _kill(servers, "rabbitmq", signal.SIGKILL)
    _, email = await order(owner)
    await box.until(email, "reset_requested", within=90)
    await box.worker.ready()
