"""``GET /credits/usage``: what the statistics hold of the user who asks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.integration.api.users import BASE, SignedIn, assert_problem, sign_up

USAGE = f"{BASE}/credits/usage"
TIMES = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-03T00:00:00Z"}
_ROWS = """
INSERT INTO credits.usage_stats (account_id, day, hour, app_id, model, uses, credits, refunds, refunded) VALUES
($1, '2026-02-28', 23, 'chat', 'small', 1, 1000, 0, 0),
($1, '2026-03-01', 0, 'chat', 'small', 1, 1, 0, 0),
($1, '2026-03-01', 0, 'notes', '', 2, 20, 0, 0),
($1, '2026-03-01', 9, 'chat', 'large', 3, 300, 1, 2),
($1, '2026-03-02', 23, 'chat', 'small', 0, 0, 1, 1),
($1, '2026-03-03', 0, 'chat', 'small', 1, 1000, 0, 0)
"""
TOTAL = {"uses": 6, "credits": 321, "refunds": 2, "refunded": 3}


def _group(by: str, name: str, *sums: int) -> dict[str, Any]:
    return {by: name, **dict(zip(("uses", "credits", "refunds", "refunded"), sums, strict=True))}


async def _asked(http: httpx.AsyncClient, user: SignedIn, **query: str) -> Any:
    answer = await http.get(USAGE, params={**TIMES, **query}, headers=user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def counted(user: SignedIn, http: httpx.AsyncClient, owner: asyncpg.Connection) -> SignedIn:
    """A user with statistics, beside another one."""
    for somebody in (user, await sign_up(http)):
        await owner.execute(_ROWS, UUID(somebody.id))
    return user


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("app", [_group("app", "chat", 4, 301, 2, 3), _group("app", "notes", 2, 20, 0, 0)]),
        ("day", [_group("day", "2026-03-01", 6, 321, 1, 2), _group("day", "2026-03-02", 0, 0, 1, 1)]),
        (
            "hour",
            [
                _group("hour", "2026-03-01T00:00:00Z", 3, 21, 0, 0),
                _group("hour", "2026-03-01T09:00:00Z", 3, 300, 1, 2),
                _group("hour", "2026-03-02T23:00:00Z", 0, 0, 1, 1),
            ],
        ),
        (
            "model",
            [
                _group("model", "", 2, 20, 0, 0),
                _group("model", "large", 3, 300, 1, 2),
                _group("model", "small", 1, 1, 1, 1),
            ],
        ),
    ],
)
async def test_it_adds_up(http: httpx.AsyncClient, counted: SignedIn, by: str, groups: list[dict[str, Any]]) -> None:
    told = await _asked(http, counted, groupBy=by)
    assert told.pop("upTo").endswith("Z")
    assert told == {**TIMES, "groupBy": by, "groups": groups, "total": TOTAL}


async def test_one_app_and_part_of_a_day(http: httpx.AsyncClient, counted: SignedIn) -> None:
    told = await _asked(http, counted, appId="chat", to="2026-03-01T09:00:00Z")
    assert told["groups"] == [_group("day", "2026-03-01", 1, 1, 0, 0)]
    assert (await _asked(http, counted, appId="none"))["groups"] == []
    assert (await _asked(http, counted, appId="none"))["total"] == dict.fromkeys(TOTAL, 0)


async def test_without_a_time_it_is_the_last_thirty_days(http: httpx.AsyncClient, user: SignedIn) -> None:
    answer = await http.get(USAGE, headers=user.headers)
    assert answer.status_code == 200
    assert set(answer.json()) == {"from", "to", "groupBy", "groups", "total", "upTo"}
    assert (answer.json()["groupBy"], answer.headers["cache-control"]) == ("day", "no-store")


async def test_of_many_groups_the_largest(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO credits.usage_stats SELECT $1, '2026-03-01', 9, 'chat', 'm' || n, 1, n, 0, 0"
        " FROM generate_series(1, 1010) AS n",
        UUID(user.id),
    )
    told = await _asked(http, user, groupBy="model")
    assert {group["credits"] for group in told["groups"]} == set(range(11, 1011))
    assert [group["model"] for group in told["groups"]] == sorted(group["model"] for group in told["groups"])
    assert told["total"]["uses"] == 1010


async def test_up_to_when_it_is_counted(http: httpx.AsyncClient, user: SignedIn, owner: asyncpg.Connection) -> None:
    for sequence, at in ((1, datetime(2026, 3, 1, 10, tzinfo=UTC)), (2, datetime(2026, 3, 2, 11, tzinfo=UTC))):
        await owner.execute(
            "INSERT INTO credits.transactions (partition, position, account_id, id, sequence, type, status, amount,"
            " balance_before, balance_after, app_id, origin, description, idempotency_key, operation, balance,"
            " free_credits_remaining, total_earned, total_spent, created_at, completed_at)"
            " SELECT 997, coalesce(max(position), 0) + 1, $1, gen_random_uuid(), $2::bigint, 'usage', 'completed', -1,"
            " 9, 8, 'chat', 'app', 'd', 'k' || $2::bigint, 'op', 0, 8, 9, 1, $3::timestamptz, $3::timestamptz"
            " FROM credits.transactions WHERE partition = 997",
            *(UUID(user.id), sequence, at),
        )
    assert (await _asked(http, user))["upTo"] == "2026-03-01T10:00:00Z"
    await owner.execute("INSERT INTO credits.usage_progress VALUES ($1, 1)", UUID(user.id))
    assert (await _asked(http, user))["upTo"] == "2026-03-02T11:00:00Z"
    await owner.execute("UPDATE credits.usage_progress SET sequence = 2 WHERE account_id = $1", UUID(user.id))
    assert (await _asked(http, user))["upTo"] > "2026-03-03"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"from": "2026-03-03T00:00:00Z"}, "from"),
        ({"from": "2020-03-03T00:00:00Z"}, "from"),
        ({"to": "2026-03-02T00:30:00Z"}, "to"),
        ({"groupBy": "user"}, "groupBy"),
        ({"appId": "a b"}, "appId"),
        ({"userId": "x"}, "userId"),
    ],
)
async def test_what_is_refused(http: httpx.AsyncClient, user: SignedIn, query: dict[str, str], named: str) -> None:
    answer = await http.get(USAGE, params={**TIMES, **query}, headers=user.headers)
    assert_problem(answer, 422, "invalid_request")
    assert [error["field"] for error in answer.json()["details"]["errors"]] == [named]


async def test_nobody_asks_without_a_token(http: httpx.AsyncClient) -> None:
    assert_problem(await http.get(USAGE), 401, "unauthorized")
