"""What is done when all faults are over: wait for rest, ask for what is unknown, and ask again for what is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from functools import partial
from random import Random
from typing import Final, TypeVar
from urllib.parse import quote, unquote, urlsplit

import httpx

from tests.faults.oracle.client import Client, in_flight, until_known
from tests.faults.oracle.commands import EXCHANGE
from tests.faults.oracle.journal import Attempt, Outcome, Told
from tests.faults.oracle.outcomes import BEFORE_THE_LEDGER, attempts_by_key, class_of, class_of_key, unknown_keys

T = TypeVar("T")
Key = tuple[str, str]

_AT_ONCE: Final = 200
_LOOK_SECONDS: Final = 0.25


async def quiesce(management_url: str, amqp_url: str, *, quiet: float, within: float) -> dict[str, int]:
    """Waits until no command queue has held a message, unacknowledged ones included, for ``quiet`` seconds.

    Returns what lies there still where that does not come about ``within`` seconds, else nothing. The broker's figures
    are up to 5 s old: a ``probe`` of each partition behind it tells what they do not.
    """
    login, parts = _login(amqp_url), urlsplit(amqp_url)
    vhost = unquote(parts.path[1:]) or "/"
    until = time.monotonic() + within
    async with httpx.AsyncClient(base_url=f"{management_url}/api", auth=login, trust_env=False, timeout=30) as http:
        empty_since = time.monotonic()
        while True:
            waiting = await depths(http, vhost)
            now = time.monotonic()
            if waiting:
                empty_since = now
            if now - empty_since >= quiet or now >= until:
                return waiting
            await asyncio.sleep(_LOOK_SECONDS)


async def depths(http: httpx.AsyncClient, vhost: str) -> dict[str, int]:
    """Messages in each command queue that has some; raises ``httpx.HTTPError`` where the broker does not tell."""
    query = {"disable_stats": "true", "enable_queue_totals": "true"}
    response = await http.get(f"/queues/{quote(vhost, safe='')}", params=query)
    response.raise_for_status()
    return {
        queue["name"]: queue["messages"]
        for queue in response.json()
        if queue["name"].startswith(f"{EXCHANGE}.") and queue.get("messages")
    }


def _login(amqp_url: str) -> tuple[str, str]:
    parts = urlsplit(amqp_url)
    return unquote(parts.username or ""), unquote(parts.password or "")


async def resolve(client: Client, told: Told, within: float) -> list[Key]:
    """Sends every unknown key again, until it is acknowledged or refused; these keys.

    What has no definite answer ``within`` seconds stays unknown: the journal tells.
    """
    unknown = unknown_keys(told)
    attempts = attempts_by_key(told)
    await in_flight(_AT_ONCE, [partial(_resolve_key, client, told, attempts[key], within) for key in unknown])
    return unknown


async def _resolve_key(client: Client, told: Told, attempts: list[int], within: float) -> Outcome:
    """Each different command under the key, the first one first, until one is acknowledged."""
    first, *others = {told.attempts[n].body: told.attempts[n] for n in attempts}.values()
    outcome = await until_known(partial(client.again, first), within)
    for other in others:
        if outcome.cls == "acknowledged":
            break
        outcome = await until_known(partial(client.again, other), within)
    return outcome


async def repeat(client: Client, told: Told, keys: Collection[Key], within: float) -> None:
    """Sends each acknowledged key again, as it was and with another amount. What is answered stands in the journal."""
    attempts = attempts_by_key(told)
    first = [_first_acknowledged(told, attempts[key]) for key in keys]
    sends = [each for attempt in first if attempt is not None for each in _repeats(client, attempt, within)]
    await in_flight(_AT_ONCE, sends)


def _first_acknowledged(told: Told, attempts: list[int]) -> Attempt | None:
    acknowledged = (n for n in attempts if class_of(told.outcomes.get(n, ())) == "acknowledged")
    return next((told.attempts[n] for n in acknowledged), None)


def _repeats(client: Client, attempt: Attempt, within: float) -> Iterator[Callable[[], Awaitable[Outcome]]]:
    yield partial(until_known, partial(client.again, attempt), within)
    if attempt.amount is not None:
        yield partial(until_known, partial(client.again, attempt, amount=attempt.amount + 1), within)


async def redeliver(client: Client, attempts: Collection[Attempt], within: float) -> None:
    """Sends each of these once more by the same message. What is answered stands in the journal."""
    await in_flight(
        _AT_ONCE,
        [
            partial(until_known, partial(client.again, attempt, message_id=attempt.message_id), within)
            for attempt in attempts
        ],
    )


def sample_refused(told: Told, part: float, chance: Random) -> list[Attempt]:
    """This part of the messages that the ledger has refused, at least one where there is one."""
    messages = {
        (attempt.user, attempt.key, attempt.message_id): attempt
        for n, attempt in told.attempts.items()
        if attempt.key and attempt.message_id and _refused_by_the_ledger(told.outcomes.get(n, ()))
    }
    return _part(list(messages.values()), part, chance)


def _refused_by_the_ledger(outcomes: Iterable[Outcome]) -> bool:
    """Other refusals are of what the journal may not tell of, such as headers, and are kept nowhere."""
    return any(outcome.cls == "refused" and outcome.code not in BEFORE_THE_LEDGER for outcome in outcomes)


def sample(told: Told, part: float, chance: Random) -> list[Key]:
    """This part of the acknowledged keys, at least one where there is one."""
    keys = [key for key, attempts in attempts_by_key(told).items() if class_of_key(told, attempts) == "acknowledged"]
    return _part(keys, part, chance)


def _part(those: list[T], part: float, chance: Random) -> list[T]:
    return chance.sample(those, min(len(those), max(1, round(part * len(those)))))
