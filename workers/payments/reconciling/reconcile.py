"""Everything that a run needs, and its row."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from workers.payments.asking import DeniedError, Stripe, StripeAwayError
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling.feeding import Feed, FeedError
from workers.payments.reconciling.looking import Looking
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.run import Run
from workers.payments.reconciling.store import Asker, ReconcilingStore
from workers.payments.settings import PaymentsSettings

_PATIENCE_SECONDS: Final = 20.0
"""For a page of a hundred: nobody waits for it."""
UNABLE: Final = (DeniedError, FeedError, StripeAwayError)
"""What a run raises besides a ``Fault`` where it cannot go on."""


async def reconcile(
    settings: PaymentsSettings,
    store: ReconcilingStore,
    meters: PaymentsMeters,
    *,
    asker: Asker,
    since: datetime,
    wait: timedelta,
    dry_run: bool = False,
) -> Report:
    """One run; ``wait`` as for ``Run``. A dry one writes nothing anywhere. Raises one of ``UNABLE``, or a ``Fault``."""
    live = settings.live
    if live is None:
        raise DeniedError("STRIPE_SECRET_KEY is not set in this environment: export it as for ./mana up")
    report = Report(since, dry_run)
    async with AsyncExitStack() as stack:
        if not dry_run:
            await stack.enter_async_context(_recorded(store, asker, report, live=live))
        looking = Looking(await stack.enter_async_context(_asked(settings, meters)))
        name = f"{settings.mana_process_name} reconciling"
        feed = None if dry_run else await stack.enter_async_context(Feed.opened(settings.amqp_url, name))
        await Run(looking, store, feed, live=live, wait=wait).run(report)
    return report


@asynccontextmanager
async def _asked(settings: PaymentsSettings, meters: PaymentsMeters) -> AsyncGenerator[Stripe]:
    stripe = Stripe(settings.stripe_secret_key, settings.stripe_api_url, meters, patience=_PATIENCE_SECONDS)
    try:
        yield stripe
    finally:
        await stripe.close()


@asynccontextmanager
async def _recorded(store: ReconcilingStore, asker: Asker, report: Report, *, live: bool) -> AsyncGenerator[None]:
    """The run's row; where the database is what fails, it stays without an end."""
    run = await store.begin(asker, live=live, since=report.since)
    try:
        yield
    except UNABLE as error:
        await store.end(run, report.counts, str(error)[:500])
        raise
    await store.end(run, report.counts, None)
