"""Keeps every user's balance from events alone: `python examples/balances_pika.py FILE`, until SIGTERM or Ctrl-C.

Reads the log of all events from its beginning. FILE holds the balances, and the place in the log that they are of:
stored together, so whatever ends this program, the next start goes on from there. Needs pika and MANA_AMQP_URL.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pika
from pika.exceptions import AMQPError

State = dict[str, Any]
EMPTY = {"place": 0, "users": {}, "events": 0, "repeats": 0, "gaps": 0}  # the place is the next one to be read
NOBODY = {"sequence": 0, "balance": 0, "freeCreditsRemaining": 0}


def store(file: Path, state: State) -> None:
    """The old file or the new one, never half of one."""
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as sink:
        json.dump(state, sink)
        sink.flush()
        os.fsync(sink.fileno())
    fresh.replace(file)


def take(state: State, event: dict[str, Any]) -> None:
    """One event; those without a sequence tell of no transaction."""
    sequence, user = event.get("sequence"), state["users"].get(event["subject"], NOBODY)
    if sequence is None:
        return
    if sequence <= user["sequence"]:
        state["repeats"] += 1
        return
    before, had = event["data"]["transaction"]["balanceBefore"], user["balance"] + user["freeCreditsRemaining"]
    if sequence != user["sequence"] + 1 or before != had:
        state["gaps"] += 1
        told = f"had {user['sequence']}, with {had} credits; then came {sequence}, from {before} credits"
        print(f"gap: user {event['subject']} {told}", file=sys.stderr, flush=True)
    balance = event["data"]["balance"]
    figures = {name: balance[name] for name in ("balance", "freeCreditsRemaining")}
    state["users"][event["subject"]] = {"sequence": sequence, **figures}
    state["events"] += 1


def watch(url: str, file: Path, state: State, end: threading.Event) -> None:
    """Until SIGTERM. Raises ``AMQPError`` where the connection is lost."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=1000)  # a stream is not read without a bound
        arrived: list[Any] = []
        offset = {"x-stream-offset": state["place"]}
        channel.basic_consume("credits.events.log", lambda _, *message: arrived.append(message), arguments=offset)
        print(f"reading from {state['place']}: {state['events']} events before", flush=True)
        while channel.consumer_tags and not end.is_set():  # no tags: the broker has ended it
            connection.sleep(0.2)  # what comes meanwhile is stored at once, and not each event by itself
            if arrived:
                for _, properties, body in arrived:
                    take(state, json.loads(body))
                    state["place"] = properties.headers["x-stream-offset"] + 1
                store(file, state)
                channel.basic_ack(arrived[-1][0].delivery_tag, multiple=True)  # asks for more; the log keeps its events
                arrived.clear()


def main() -> int:
    """Reads the arguments; answers the exit status."""
    url, given = os.environ.get("MANA_AMQP_URL"), sys.argv[1:]
    if not url or len(given) != 1:
        print("usage: MANA_AMQP_URL=amqp://… python examples/balances_pika.py FILE", file=sys.stderr)
        return 2
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    file = Path(given[0])
    state = json.loads(file.read_bytes()) if file.exists() else EMPTY
    while not end.is_set():
        try:
            watch(url, file, state, end)
        except AMQPError as error:
            print(f"{error!r}: connecting again in a second", file=sys.stderr, flush=True)
            end.wait(1)
    print(f"{state['events']} events of {len(state['users'])} users, {state['repeats']} repeats, {state['gaps']} gaps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
