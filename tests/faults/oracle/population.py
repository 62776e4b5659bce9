"""The users of a run: opened and given credits, and chosen as a real crowd would come."""

from __future__ import annotations

import uuid
from functools import partial
from itertools import accumulate
from random import Random
from typing import Final

from tests.faults.oracle.client import Client, in_flight, until_known
from tests.faults.oracle.journal import Outcome

_AT_ONCE: Final = 200
_WITHIN_SECONDS: Final = 120.0
_ZIPF: Final = 1.1
_HOT: Final = 0.2
"""The part of all commands that is the hot user's."""


def fresh_users(number: int) -> list[str]:
    """Ids that nobody had before."""
    return [str(uuid.uuid4()) for _ in range(number)]


async def prepare(client: Client, users: list[str], credits_each: int, *, opened: bool = False) -> None:
    """Opens the accounts, unless they are ``opened``, and grants credits. Raises ``AssertionError``."""
    if not opened:
        await _all(client, "open", users, None)
    await _all(client, "grant", users, credits_each)


async def _all(client: Client, op: str, users: list[str], amount: int | None) -> None:
    key = f"{client.journal.run}:{op}"

    async def one(user: str) -> Outcome:
        return await until_known(partial(client.send, op, user, key, amount=amount), _WITHIN_SECONDS)

    outcomes = await in_flight(_AT_ONCE, [partial(one, user) for user in users])
    refused = [outcome for outcome in outcomes if outcome.cls != "acknowledged"]
    assert not refused, f"{len(refused)} of {len(users)} could not {op}, such as {refused[0]}"


class Crowd:
    """Picks users: the first is hot, the others follow Zipf's law."""

    def __init__(self, users: list[str], chance: Random) -> None:
        self._hot, self._others = users[0], users[1:]
        self._chance = chance
        self._weights = list(accumulate((rank + 1) ** -_ZIPF for rank in range(len(self._others))))

    def pick(self) -> str:
        """The next one."""
        if not self._others or self._chance.random() < _HOT:
            return self._hot
        return self._chance.choices(self._others, cum_weights=self._weights)[0]
