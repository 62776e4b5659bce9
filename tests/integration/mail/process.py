"""The mail worker as a process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from ops.instance import Instance
from ops.programs import ProcessSettings
from tests.integration.workers.running import Running, running

LINKS = "https://links.mana.test"


@asynccontextmanager
async def mail_worker(instance: Instance, folder: Path, **settings: str) -> AsyncGenerator[Running]:
    """A ready mail worker until the block ends; ``settings`` beside its logins and a public address."""
    own = ProcessSettings(instance.addresses, partitions=4).mail()
    environment = {**own, "MANA_ENVIRONMENT": "development", "PUBLIC_URL": LINKS, **settings}
    async with running(instance, folder, "workers.mail", environment) as process:
        await process.ready()
        yield process
