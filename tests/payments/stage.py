"""Everything that buying takes, as processes that may be killed: they are started again, as ``./mana`` does it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import httpx

from ops import ports
from ops.fakes.stripe.running import running as stripe_running
from ops.instance import Instance
from ops.program import Program
from ops.programs import Programs, python
from ops.status import Board
from tests.e2e.client import Client
from tests.faults.tools.broker import Broker
from tests.faults.tools.front import Front
from tests.faults.tools.kept import READY_SECONDS, Kept
from tests.faults.tools.lives import recipe
from tests.faults.tools.postgres import Database
from tests.faults.tools.workers import Workers, partitions_of
from tests.integration.api.stripe_events import SECRET, WEBHOOK
from tests.integration.workers.payments import TEST_KEY, Seller, selling
from tests.payments.expecting import RefundPolicy
from tests.payments.shop import Shop

_LEDGER_WORKERS: Final = 2
_NOWHERE: Final = "http://127.0.0.1:9"
_MODULE: Final = "tests.payments.worker"


@dataclass
class Stage:
    """``killed``: how often each of them was, by name. ``http`` asks the front; ``endpoint`` is the stand-in's."""

    instance: Instance
    policy: RefundPolicy
    front: Front
    ledger: Workers
    payments: Kept
    broker: Broker
    database: Database
    seller: Seller
    shop: Shop
    http: httpx.AsyncClient
    killed: Counter[str] = field(default_factory=Counter[str])

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        """With the administrator's login; for as long as the broker lives."""
        async with Client.connected(self.instance.addresses.amqp) as client:
            yield client

    async def kill_payments(self) -> None:
        """SIGKILL; returns once its next life is ready."""
        await self._kill("payments worker", self.payments.kill, self.payments.ready)

    async def kill_ledger(self) -> None:
        """SIGKILL of one ledger worker, each in its turn; returns once its next life is ready."""
        victim = self.ledger.all[self.killed["ledger worker"] % len(self.ledger.all)]
        await self._kill("ledger worker", victim.kill, victim.ready)

    async def kill_broker(self) -> None:
        """SIGKILL of RabbitMQ; returns once it takes logins again."""
        await self._kill("RabbitMQ", self.broker.kill, self.broker.wait_up)

    async def kill_database(self) -> None:
        """SIGKILL of PostgreSQL; returns once it takes logins again."""
        await self._kill("PostgreSQL", self.database.kill, self.database.wait_up)

    async def listen(self, *, enabled: bool) -> None:
        """Whether the stand-in itself tells the front what happens from now on."""
        (endpoint,) = (await self.seller.ask("GET", "/v1/webhook_endpoints"))["data"]
        wish = {"url": f"{self.front.url}{WEBHOOK}", "disabled": str(not enabled).lower()}
        await self.seller.ask("POST", f"/v1/webhook_endpoints/{endpoint['id']}", data=wish)

    async def _kill(
        self, name: str, kill: Callable[[], Awaitable[object]], ready: Callable[[], Awaitable[object]]
    ) -> None:
        await kill()
        self.killed[name] += 1
        await ready()


@asynccontextmanager
async def staged(
    instance: Instance, folder: Path, *, policy: RefundPolicy = "debt", mutant: str | None = None
) -> AsyncGenerator[Stage]:
    """A stage until the block ends; ``mutant``: put on by the workers (``tests.faults.mutants``)."""
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(Front(instance, folder))
        ledger = await stack.enter_async_context(Workers(instance, folder))
        broker = Broker(instance)
        port = ports.choose(None, ())
        told = {"STRIPE_SECRET_KEY": TEST_KEY, "STRIPE_API_URL": f"http://127.0.0.1:{port}"}
        payments = _payments(instance, folder, {**told, **({"MANA_MUTANT": mutant} if mutant else {})})
        stack.push_async_callback(payments.drain)
        options = ("--endpoint", _NOWHERE, "--endpoint-secret", SECRET)
        stand_in, *_ = await asyncio.gather(
            stack.enter_async_context(stripe_running(folder / "stripe.log", *options, port=port)),
            front.start(environment={"STRIPE_WEBHOOK_SECRET": SECRET}),
            ledger.start(_LEDGER_WORKERS, mutant=mutant, environment={"CREDITS_REFUND_POLICY": policy}),
            payments.ready(READY_SECONDS),
            broker.settle(),
        )
        client = await stack.enter_async_context(Client.connected(instance.addresses.amqp))
        seller = await stack.enter_async_context(selling(instance, stand_in.url, client))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=front.url, timeout=30))
        stage = Stage(instance, policy, front, ledger, payments, broker, Database(instance), seller, Shop(seller), http)
        await seller.remote.switch(async_seconds=None)
        await stage.listen(enabled=False)
        yield stage


def _payments(instance: Instance, folder: Path, environment: Mapping[str, str]) -> Kept:
    programs = Programs(instance.addresses, partitions_of(instance), {})

    def program() -> Program:
        return replace(programs.payments(), argv=python(_MODULE))

    return Kept(recipe(program, environment, environment), folder, Board(folder / "payments.json"))
