"""``python -m workers.event_log.republish``: sends events of the ledger's rows again, as after a loss of the log.

Exit 0: the broker has them all. Exit 1: not all, and the message says which. It is a worker's login that it uses.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from workers.broker.publishing import Publishing
from workers.event_log.choosing import Since, read_since
from workers.event_log.republishing import NotTakenError, Republishing, spans
from workers.ledger.faults import Fault
from workers.ledger.store.positions import Positions
from workers.process_settings import ProcessSettings, SettingsError, read

_NAME = "mana-republish"
_CONNECT_SECONDS = 15.0
_TELL_EVERY_SECONDS = 2.0


def main(arguments: Sequence[str]) -> int:
    """Answers the exit status."""
    wish = _parser().parse_args(arguments)
    try:
        sent, partitions = asyncio.run(_republish(read(ProcessSettings), wish))
    except TimeoutError:
        print("No event was sent: the broker cannot be reached.", file=sys.stderr)
        return 1
    except (Fault, SettingsError, NotTakenError, ValueError) as error:
        print(f"Not all events were sent: {' '.join(str(error).split()).rstrip('.')}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped: not all events were sent; to begin again repeats those that were.", file=sys.stderr)
        return 130
    print(f"{'Would send' if wish.dry_run else 'Sent'} {sent} events of {partitions} partitions.")
    return 0


async def _republish(settings: ProcessSettings, wish: argparse.Namespace) -> tuple[int, int]:
    positions = Positions(settings.database_url, application_name=_NAME)
    try:
        chosen = await spans(positions, wish.since, wish.until)
        if wish.dry_run:
            republishing = Republishing(positions, None, _Progress())
            return sum([await republishing.send(span, wish.user) for span in chosen]), len(chosen)
        connected = asyncio.Event()
        publishing = Publishing(settings.amqp_url, _NAME, lambda _publisher: connected.set())
        running = asyncio.create_task(publishing.run())
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await connected.wait()
            republishing = Republishing(positions, publishing, _Progress())
            return sum([await republishing.send(span, wish.user) for span in chosen]), len(chosen)
        finally:
            running.cancel()
            await asyncio.wait({running})
    finally:
        await positions.close()


class _Progress:
    """Says on standard error where it is, every few seconds."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, partition: int, position: int, sent: int) -> None:
        now = time.monotonic()
        if now - self._last >= _TELL_EVERY_SECONDS:
            self._last = now
            print(f"partition {partition}: {sent} events, up to {partition}:{position}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./mana events republish",
        description="Send events again from the ledger: same ids, same bodies, in order. Subscribers see repeats.",
    )
    place = "PARTITION:POSITION of a row, a time such as 2027-01-31T12:00:00Z, or an age such as 1h"
    parser.add_argument("--from", dest="since", type=_since, required=True, metavar="PLACE", help=place)
    parser.add_argument("--to", dest="until", type=_since, metavar="PLACE", help="as --from; the ledger's end")
    parser.add_argument("--user", type=_user, metavar="ID", help="this user's alone")
    parser.add_argument("--dry-run", action="store_true", help="count them, and send none")
    return parser


def _since(text: str) -> Since:
    try:
        return read_since(text, datetime.now(UTC))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None


def _user(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no user's id") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
