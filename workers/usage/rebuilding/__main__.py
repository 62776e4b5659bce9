"""``python -m workers.usage.rebuilding --from ledger|stream``: counts the statistics of use anew.

Exit 0: they are. Exit 1: it did not come to its end; what is in place already is right, and the rest as it was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from contracts import logs
from workers.broker.errors import BrokerError
from workers.ledger.faults import Fault
from workers.process_settings import SettingsError, read
from workers.usage.following import following
from workers.usage.rebuilding.replacing import Replacing
from workers.usage.rebuilding.streaming import count_stream
from workers.usage.settings import UsageSettings

_NAME: Final = "usage rebuild"


def main(arguments: Sequence[str]) -> int:
    """Answers the exit status."""
    parser = argparse.ArgumentParser(prog="./mana usage rebuild", description="Count the statistics of use anew.")
    parser.add_argument("--from", dest="source", choices=("ledger", "stream"), required=True, help="what is counted")
    source = parser.parse_args(arguments).source
    try:
        settings = read(UsageSettings)
        logs.configure(_NAME, "ERROR")
        asyncio.run(_rebuild(settings, source))
    except (Fault, BrokerError, SettingsError) as error:
        print(f"It did not come to its end: {' '.join(str(error).split()).rstrip('.')}.", file=sys.stderr)
        return 1
    return 0


async def _rebuild(settings: UsageSettings, source: str) -> None:
    async with Replacing.opened(settings.database_url, _NAME) as new:
        if source == "ledger":
            print(f"Counted from the ledger: {await new.store.catch_up():,} accounts.")
        else:
            async with following(settings.amqp_url, _NAME) as stream:
                print(f"Counted from the stream: {await count_stream(stream, new.store):,} events of transactions.")
        try:
            ahead, differing = await new.replace()
        except Fault:
            print(f"{new.placed:,} accounts are in place, the others as they were.", file=sys.stderr)
            raise
    if ahead:
        print(f"Of {ahead:,} accounts the last part from the ledger: it was counted already, and has not come here.")
    print(f"In place. Rows that are others now: {differing:,}.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
