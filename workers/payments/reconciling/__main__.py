"""``python -m workers.payments.reconciling``: compares with Stripe, feeds what never arrived, and tells what differed.

Exit 0: nothing differed, or all of it was fed. Exit 1: something differs still. Exit 2: it could not be looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client import CollectorRegistry
from rich.console import Console

from contracts.durations import read_duration
from contracts.moments import read_time
from workers.ledger.faults import Fault
from workers.payments.meters import PaymentsMeters
from workers.payments.reconciling.reconcile import UNABLE, reconcile
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.showing import show
from workers.payments.reconciling.store import ReconcilingStore
from workers.payments.reconciling.timer import FIRST
from workers.payments.settings import PaymentsSettings
from workers.process_settings import SettingsError, read

_WAIT: Final = timedelta(seconds=30)


def main(arguments: Sequence[str]) -> int:
    """Answers the exit status."""
    wish = _parser().parse_args(arguments)
    try:
        report, held = asyncio.run(_reconciled(read(PaymentsSettings), wish))
    except (Fault, SettingsError, *UNABLE) as error:
        print(f"Stripe could not be compared with: {' '.join(str(error).split()).rstrip('.')}.", file=sys.stderr)
        return 2
    show(report, Console(), held=held)
    return 1 if report.differs else 0


async def _reconciled(settings: PaymentsSettings, wish: argparse.Namespace) -> tuple[Report, bool]:
    """And whether top-ups are held still, as ``restore`` leaves them."""
    async with ReconcilingStore.opened(settings.database_url, "mana-reconcile") as store:
        since = wish.since or datetime.now(UTC) - FIRST
        report = await reconcile(
            settings,
            store,
            PaymentsMeters(CollectorRegistry()),
            asker="operator",
            since=since,
            wait=wish.wait,
            dry_run=wish.dry_run,
        )
        live = bool(settings.live)
        if not wish.dry_run and (wish.release_topups or not (report.differs or report.unfinished)):
            await store.release_topups(live=live, since=None if wish.release_topups else since)
        return report, await store.holds_topups(live=live)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./mana stripe reconcile", description="Compare with Stripe.")
    parser.add_argument(
        "--since", type=_since, help="how far back to look, such as 12h, or from when, such as 2027-01-31T12:00:00Z; 3d"
    )
    parser.add_argument("--wait", type=_duration, default=_WAIT, help="how long for what was fed to be done; 30s")
    parser.add_argument("--dry-run", action="store_true", help="feed nothing, write nothing")
    parser.add_argument(
        "--release-topups", action="store_true", help="let a restored place's top-ups go on, whatever differs still"
    )
    return parser


def _since(value: str) -> datetime:
    now = datetime.now(UTC)
    try:
        since = read_time(value, now)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if since > now:
        raise argparse.ArgumentTypeError("has not come yet")
    return since


def _duration(value: str) -> timedelta:
    try:
        return read_duration(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
