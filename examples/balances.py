"""Keeps every user's balance from events alone: `python examples/balances.py FILE`, until SIGTERM or Ctrl-C.

Reads the log of all events from its beginning by our client, which connects again, drops repeats and tells of gaps.
FILE holds the balances, and the place in the log that they are of: stored together, so whatever ends this program, the
next start goes on from there. Needs mana-client (clients/python) and MANA_AMQP_URL.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from mana_client import Event, Mana, Position

EMPTY = {"place": None, "users": {}, "events": 0, "repeats": 0, "gaps": 0}
NOBODY = {"sequence": 0, "balance": 0, "freeCreditsRemaining": 0}


class Balances:
    """All balances, and where the client keeps its position."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.state: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else EMPTY
        self.is_stored = True

    async def load(self) -> Position | None:
        """Where the client begins."""
        return Position(*self.state["place"]) if self.state["place"] else None

    async def save(self, position: Position) -> None:
        """The client says that all up to here is handled."""
        self.state["place"] = [position.offset, position.event_id]
        self.is_stored = False

    def take(self, event: Event) -> None:
        """One event; those without a sequence tell of no transaction."""
        user = self.state["users"].get(event.user_id, NOBODY)
        if event.sequence is None:
            return
        if event.sequence <= user["sequence"]:  # from before the last end: the client has not seen that it came twice
            self.state["repeats"] += 1
            return
        before, had = event.transaction.balance_before, user["balance"] + user["freeCreditsRemaining"]
        if event.sequence != user["sequence"] + 1 or before != had:
            told = f"had {user['sequence']}, with {had} credits; then came {event.sequence}, from {before} credits"
            self.missed(f"user {event.user_id} {told}")
        figures = {"balance": event.balance.balance, "freeCreditsRemaining": event.balance.free_credits_remaining}
        self.state["users"][event.user_id] = {"sequence": event.sequence, **figures}
        self.state["events"] += 1

    def missed(self, what: object) -> None:
        """Something is not there that should be."""
        self.state["gaps"] += 1
        print(f"gap: {what}", file=sys.stderr, flush=True)

    def store(self) -> None:
        """The old file or the new one, never half of one."""
        fresh = self.file.with_name(f"{self.file.name}.new")
        with fresh.open("w", encoding="utf-8") as sink:
            json.dump(self.state, sink)
            sink.flush()
            os.fsync(sink.fileno())
        fresh.replace(self.file)
        self.is_stored = True


async def watch(url: str, balances: Balances) -> None:
    """For ever. What is no event tells of some that are missing."""
    async for item in Mana(url, app="balances").events(position=balances):
        if isinstance(item, Event):
            balances.take(item)
        else:
            balances.missed(item)


async def keep(url: str, file: Path) -> None:
    """Until SIGTERM. What has come is stored five times a second, and not each event by itself."""
    balances = Balances(file)
    watching = asyncio.create_task(watch(url, balances))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, watching.cancel)
    state = balances.state
    print(f"reading from {state['place']}: {state['events']} events before", flush=True)
    while not watching.done():
        await asyncio.wait({watching}, timeout=0.2)
        if not balances.is_stored:
            balances.store()
    print(f"{state['events']} events of {len(state['users'])} users, {state['repeats']} repeats, {state['gaps']} gaps")
    with suppress(asyncio.CancelledError):
        await watching  # raises what it has failed of


if __name__ == "__main__":
    if "MANA_AMQP_URL" not in os.environ or len(sys.argv) != 2:
        print("usage: MANA_AMQP_URL=amqp://… python examples/balances.py FILE", file=sys.stderr)
        sys.exit(2)
    asyncio.run(keep(os.environ["MANA_AMQP_URL"], Path(sys.argv[1])))
