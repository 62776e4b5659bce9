"""Compares what is in the database with how every story must end. It says each thing that is wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import asyncpg

from tests.payments.expecting import End

Connection = asyncpg.Connection

_BALANCES: Final = """
SELECT account_id::text AS user_id, balance, free_credits_remaining, total_earned, total_spent
FROM credits.balances WHERE account_id = ANY ($1::text[]::uuid[])
"""
_LOTS: Final = """
SELECT account_id::text AS user_id, kind, granted, remaining FROM credits.lots
WHERE account_id = ANY ($1::text[]::uuid[])
"""
_PURCHASES: Final = """
SELECT account_id::text AS user_id, id::text AS id, status, taken, held, debt, written_off FROM credits.purchases
WHERE account_id = ANY ($1::text[]::uuid[])
"""
_CREDITED: Final = """
SELECT account_id::text AS user_id, id::text AS id FROM credits.transactions
WHERE type = 'purchase' AND account_id = ANY ($1::text[]::uuid[])
"""
_COLUMNS: Final = ("status", "taken", "held", "debt", "written_off")
_EVENTS: Final = "SELECT id, type, outcome, reason, done_at FROM credits.stripe_events WHERE id = ANY ($1)"


async def judge(connection: Connection, ends: Mapping[str, End], told: Collection[str]) -> list[str]:
    """``told``: the ids of the events that were answered with 200. Nothing where all is as it must be."""
    return [
        *_events(told, await connection.fetch(_EVENTS, list(told))),
        *_credited(ends, await connection.fetch(_CREDITED, list(ends))),
        *_purchases(ends, await connection.fetch(_PURCHASES, list(ends))),
        *_balances(ends, await connection.fetch(_BALANCES, list(ends))),
        *_lots(ends, await connection.fetch(_LOTS, list(ends))),
    ]


async def not_done(connection: Connection, told: Collection[str]) -> set[str]:
    """Those of these events that are not kept, or kept and not worked off."""
    rows = await connection.fetch(
        "SELECT id FROM credits.stripe_events WHERE done_at IS NOT NULL AND id = ANY ($1)", list(told)
    )
    return set(told) - {row["id"] for row in rows}


def _events(told: Collection[str], rows: list[Any]) -> Iterator[str]:
    for lost in sorted(set(told) - {row["id"] for row in rows}):
        yield f"{lost} was answered with 200, and is not kept"
    for row in rows:
        if row["done_at"] is None or row["outcome"] not in ("done", "ignored"):
            yield f"{row['id']} ({row['type']}) is {row['outcome'] or 'not done'}: {row['reason']}"


def _credited(ends: Mapping[str, End], rows: list[Any]) -> Iterator[str]:
    times = Counter((row["user_id"], row["id"]) for row in rows)
    wanted = Counter((user, purchase) for user, end in ends.items() for purchase in end.paid)
    for place in sorted(times | wanted):
        if times[place] != wanted[place]:
            yield f"purchase {place} was credited {times[place]} times, and not {wanted[place]}"


def _purchases(ends: Mapping[str, End], rows: list[Any]) -> Iterator[str]:
    found: defaultdict[str, dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for row in rows:
        found[row["user_id"]][row["id"]] = tuple(
            row[name] for name in ("status", "taken", "held", "debt", "written_off")
        )
    for user, end in ends.items():
        for purchase in sorted(end.purchases.keys() | found[user].keys()):
            is_, must = found[user].get(purchase), end.purchases.get(purchase)
            if is_ != must:
                yield f"purchase {purchase} of {user} is {is_}, and not {must} (status, taken, held, debt, written off)"


def _balances(ends: Mapping[str, End], rows: list[Any]) -> Iterator[str]:
    found = {
        row["user_id"]: {
            "balance": row["balance"],
            "freeCreditsRemaining": row["free_credits_remaining"],
            "totalEarned": row["total_earned"],
            "totalSpent": row["total_spent"],
        }
        for row in rows
    }
    for user, end in ends.items():
        if found.get(user) != end.balance:
            yield f"{user} has {found.get(user)}, and not {end.balance}"


def _lots(ends: Mapping[str, End], rows: list[Any]) -> Iterator[str]:
    found: defaultdict[str, Counter[tuple[str, int, int]]] = defaultdict(Counter)
    for row in rows:
        found[row["user_id"]][row["kind"], row["granted"], row["remaining"]] += 1
    for user, end in ends.items():
        if found[user] != end.lots:
            yield f"the lots of {user} are {dict(found[user])}, and not {dict(end.lots)} (kind, granted, left)"
