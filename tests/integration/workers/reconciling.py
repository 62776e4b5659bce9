"""A ledger of its own for tests that compare with Stripe: what other tests sold would be unknown there."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry

from migrations.runner import Wish, migrate
from ops import roles, urls
from ops.fakes.stripe.running import StandIn
from ops.instance import Instance
from ops.programs import ProcessSettings
from ops.servers.postgres import ADMINISTRATOR
from tests.integration.workers.payments import TEST_KEY
from tests.integration.workers.running import PARTITIONS
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling.reconcile import reconcile
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.store import ReconcilingStore
from workers.payments.settings import PaymentsSettings


@asynccontextmanager
async def another_ledger(servers: Instance, name: str) -> AsyncGenerator[Instance]:
    """The same servers with another database."""
    addresses = replace(servers.addresses, database=urls.with_database(servers.addresses.database, name))
    secrets = servers.addresses.secrets
    await roles.establish(
        urls.with_login(addresses.database, ADMINISTRATOR, secrets.postgres_admin), name, secrets.roles
    )
    await migrate(addresses.database_as("mana_owner"), Wish(partitions=PARTITIONS), lambda _line: None)
    yield replace(servers, addresses=addresses)


@dataclass(frozen=True)
class Reconciler:
    """Compares from its making on. What Stripe had before it is other tests' business."""

    servers: Instance
    stripe: StandIn
    since: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def environment(self) -> dict[str, str]:
        """The payments worker's."""
        own = ProcessSettings(self.servers.addresses, PARTITIONS).payments()
        return {**own, "STRIPE_SECRET_KEY": TEST_KEY, "STRIPE_API_URL": self.stripe.url}

    def settings(self, **others: str) -> PaymentsSettings:
        """The same, as the worker reads it."""
        told = {**self.environment, **others}
        return PaymentsSettings.model_validate({name.lower(): value for name, value in told.items()})

    async def run(self, *, back: timedelta = timedelta(0), dry_run: bool = False) -> Report:
        """One run, which looks so far back behind ``since``."""
        settings = self.settings()
        async with ReconcilingStore.opened(settings.database_url, "a-test") as store:
            return await reconcile(
                settings,
                store,
                PaymentsMeters(CollectorRegistry()),
                asker="operator",
                since=self.since - back,
                wait=timedelta(seconds=30),
                dry_run=dry_run,
            )
