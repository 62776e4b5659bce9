"""What can be seen of sessions, and whether it is what the model says: by the database, and by both fronts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable

import httpx

from tests.integration.api.users import BASE, is_valid
from tests.stateful.calls import Fronts, Texts
from tests.stateful.model import World

HEARD_SECONDS_MAX = 1.0
"""So soon an end is known in every process."""
LOOKS_AT_ONCE = 8
"""More would only wait for each other."""

_SESSIONS = """
SELECT sessions.id::text AS sid, sessions.user_id::text AS user_id, sessions.ended_at IS NULL AS live,
       sessions.generation, count(tokens.token_hash) AS tokens,
       count(tokens.token_hash) FILTER (WHERE tokens.generation = sessions.generation) AS newest
FROM auth.sessions LEFT JOIN auth.refresh_tokens AS tokens ON tokens.session_id = sessions.id
WHERE sessions.user_id = ANY ($1::text[]::uuid[])
GROUP BY sessions.id
ORDER BY sessions.created_at, sessions.id
"""
_USERS = """
SELECT users.id::text AS user_id, users.banned_at IS NOT NULL AS banned,
       count(*) FILTER (WHERE events.type = 'refresh.reused') AS reused,
       count(*) FILTER (WHERE events.type = 'refresh.retried') AS retried
FROM auth.users LEFT JOIN auth.security_events AS events ON events.user_id = users.id
WHERE users.id = ANY ($1::text[]::uuid[])
GROUP BY users.id
"""

Stored = tuple[
    dict[str, list[tuple[str, int]]],
    dict[str, int],
    dict[str, tuple[bool, int, int]],
]
"""By user the sessions that live, oldest first, with their generations; the generation of each session; by user
whether he is banned, and how often a token was reused and retried."""


async def stored(fronts: Fronts, texts: Texts) -> Stored:
    """As it is in the database, where each session has one token for each generation, and one that is the newest."""
    living: dict[str, list[tuple[str, int]]] = {user: [] for user in texts.ids}
    generations = dict[str, int]()
    for row in await fronts.owner.fetch(_SESSIONS, texts.ids):
        assert (row["tokens"], row["newest"]) == (row["generation"], 1), "the chain of tokens has forked"
        generations[row["sid"]] = row["generation"]
        if row["live"]:
            living[row["user_id"]].append((row["sid"], row["generation"]))
    users = await fronts.owner.fetch(_USERS, texts.ids)
    return living, generations, {row["user_id"]: (row["banned"], row["reused"], row["retried"]) for row in users}


def expected(world: World, texts: Texts) -> Stored:
    """The same by the model."""
    sessions = world.sessions
    living = {
        id_: [(texts.sids[number], sessions[number].generation) for number in world.living(user)]
        for user, id_ in enumerate(texts.ids)
    }
    generations = {texts.sids[number]: session.generation for number, session in enumerate(sessions)}
    users = {id_: (user.banned, user.reused, user.retried) for id_, user in zip(texts.ids, world.users, strict=True)}
    return living, generations, users


async def look_at(fronts: Fronts, texts: Texts, world: World, sessions: Iterable[int], lister: int) -> None:
    """Whether both fronts take the access tokens of these sessions for what the model says, and one lists those that
    live."""
    numbers = list(sessions)
    looks = [
        _is_alive(http, token) if world.sessions[number].live else _is_dead(http, token)
        for number in numbers
        for token in (texts.access[number][-1:] if world.sessions[number].live else texts.access[number])
        for http in fronts.clients
    ]
    users = {world.sessions[number].user for number in numbers}
    lists = [_lists(fronts.clients[lister], texts, world, user) for user in users if world.living(user)]
    places = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def take_turns(look: Awaitable[None]) -> None:
        async with places:
            await look

    await asyncio.gather(*(take_turns(look) for look in (*looks, *lists)))


async def _is_alive(http: httpx.AsyncClient, token: str) -> None:
    assert await is_valid(http, token), "a session that lives is refused"


async def _is_dead(http: httpx.AsyncClient, token: str) -> None:
    """``validate`` knows at once, and what remembers ends knows soon: whoever asks after that time is refused. How long
    the answer itself takes says nothing of it."""
    assert not await is_valid(http, token), "a session that has ended lives on"
    began = time.monotonic()
    asked = began
    while await _is_let_in(http, token):
        assert asked - began < HEARD_SECONDS_MAX, "a front has not heard of the end of a session"
        await asyncio.sleep(0.01)
        asked = time.monotonic()


async def _is_let_in(http: httpx.AsyncClient, token: str) -> bool:
    answer = await http.get(f"{BASE}/credits/packages", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


async def _lists(http: httpx.AsyncClient, texts: Texts, world: World, user: int) -> None:
    living = world.living(user)
    headers = {"authorization": f"Bearer {texts.access[living[0]][-1]}"}
    answer = await http.get(f"{BASE}/auth/sessions", headers=headers)
    assert answer.status_code == 200, answer.text
    listed = [session["id"] for session in answer.json()]
    assert listed == [texts.sids[number] for number in reversed(living)]
