"""The front with a real ledger worker behind it: what is spent is what is read."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from tests.integration.api.users import BASE, SignedIn, assert_problem, fields, pages, sign_up

USE = f"{BASE}/credits/use"
BODY: dict[str, Any] = {"amount": 3, "appId": "chat", "description": "GPT answer", "metadata": {"n": 1.10}}


async def _get(http: httpx.AsyncClient, user: SignedIn, path: str) -> Any:
    answer = await http.get(f"{BASE}/credits{path}", headers=user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _spend(http: httpx.AsyncClient, user: SignedIn, **change: Any) -> httpx.Response:
    return await http.post(USE, json={**BODY, **change}, headers=user.headers)


async def test_the_account_is_open_when_registration_answers(http: httpx.AsyncClient, spender: SignedIn) -> None:
    assert await _get(http, spender, "/balance") == {
        "balance": 0,
        "freeCreditsRemaining": 150,
        "totalEarned": 150,
        "totalSpent": 0,
        "dailyFreeCredits": 5,
        "debt": 0,
    }
    (lot,) = await _get(http, spender, "/lots")
    assert set(lot) == {"id", "kind", "granted", "remaining", "free", "expiresAt", "createdAt"}
    assert (lot["kind"], lot["granted"], lot["remaining"], lot["free"]) == ("signup", 150, 150, True)


async def test_a_use_is_found_everywhere_alike(http: httpx.AsyncClient, spender: SignedIn) -> None:
    used = await _spend(http, spender, idempotencyKey="k/1")
    assert used.status_code == 200, used.text
    reply = used.json()
    transaction = reply["transaction"]
    assert (transaction["amount"], transaction["origin"], transaction["metadata"]) == (-3, "user", {"n": 1.10})
    operation = await _get(http, spender, "/operations/k%2F1")
    assert operation == {"status": "completed", "transaction": transaction, "balance": reply["balance"]}
    assert await _get(http, spender, f"/transactions/{transaction['id']}") == transaction
    assert (await _get(http, spender, "/transactions"))[0] == transaction
    assert (await _get(http, spender, "/balance"))["freeCreditsRemaining"] == 147


async def test_a_repeat_answers_the_first_result_again(http: httpx.AsyncClient, spender: SignedIn) -> None:
    first = (await _spend(http, spender, idempotencyKey="again")).json()
    repeated = (await _spend(http, spender, idempotencyKey="again")).json()
    assert repeated == {**first, "replayed": True}
    conflict = await _spend(http, spender, idempotencyKey="again", amount=4)
    assert_problem(conflict, 409, "idempotency_conflict")


async def test_a_refusal_is_found_by_its_key(http: httpx.AsyncClient, spender: SignedIn) -> None:
    refused = await _spend(http, spender, idempotencyKey="much", amount=151)
    problem = assert_problem(refused, 402, "insufficient_credits")
    assert problem["details"] == {"available": 150, "required": 151}
    operation = await _get(http, spender, "/operations/much")
    assert operation["status"] == "refused"
    assert operation["error"]["code"] == "insufficient_credits"
    assert operation["error"]["details"] == problem["details"]


async def test_a_frozen_account(http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection) -> None:
    await owner.execute("UPDATE credits.balances SET frozen = true WHERE account_id = $1::text::uuid", spender.id)
    assert_problem(await _spend(http, spender), 403, "account_frozen")


async def test_an_opening_is_an_operation_too(http: httpx.AsyncClient, spender: SignedIn) -> None:
    operation = await _get(http, spender, "/operations/mana:open")
    assert operation["transaction"]["type"] == "bonus"
    assert operation["transaction"]["origin"] == "system"


async def test_pages_of_transactions(http: httpx.AsyncClient, spender: SignedIn) -> None:
    for number in range(7):
        await _spend(http, spender, appId=f"app{number % 2}", amount=1)
    everything = await _get(http, spender, "/transactions?limit=200")
    assert [one["sequence"] for one in everything] == list(range(8, 0, -1))
    assert await pages(http, spender, f"{BASE}/credits/transactions?limit=3") == everything
    assert await _get(http, spender, "/transactions?limit=2&offset=3") == everything[3:5]
    of_an_app = [one for one in everything if one["appId"] == "app1"]
    assert await _get(http, spender, "/transactions?appId=app1&type=usage") == of_an_app
    moment = everything[4]["createdAt"]
    assert await _get(http, spender, f"/transactions?from={moment}") == everything[:5]
    assert await _get(http, spender, f"/transactions?to={moment}") == everything[5:]


async def test_filters_are_kept_over_pages(http: httpx.AsyncClient, spender: SignedIn) -> None:
    for number in range(6):
        await _spend(http, spender, appId=f"app{number % 2}", amount=1)
    answer = await http.get(f"{BASE}/credits/transactions?appId=app1&limit=2", headers=spender.headers)
    following = await http.get(answer.links["next"]["url"], headers=spender.headers)
    assert [one["appId"] for one in answer.json() + following.json()] == ["app1"] * 3
    assert "next" not in following.links


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("cursor=x", "cursor"),
        ("cursor=99999999999999999999", "cursor"),
        ("type=theft", "type"),
        ("appId=a%00b", "appId"),
        ("appId=%F0%9F%98%80", "appId"),
        ("from=yesterday", "from"),
        ("from=2026-01-01T00:00:00", "from"),
        ("to=0001-01-01T00:00:00%2B14:00", "to"),
        ("more=1", "more"),
    ],
)
async def test_queries_that_do_not_fit(http: httpx.AsyncClient, spender: SignedIn, query: str, field: str) -> None:
    answer = await http.get(f"{BASE}/credits/transactions?{query}", headers=spender.headers)
    assert fields(assert_problem(answer, 422, "invalid_request")) == [field]


@pytest.mark.parametrize(
    ("path", "field", "message"),
    [
        ("/transactions?appId=a%20b", "appId", "must be 1 to 64 of A-Z a-z 0-9 _ -"),
        ("/transactions?appId=" + "a" * 65, "appId", "must be 1 to 64 of A-Z a-z 0-9 _ -"),
        ("/transactions?cursor=0", "cursor", "is not the cursor of a next page"),
        ("/transactions/x", "transactionId", "must be a UUID"),
    ],
)
async def test_what_does_not_fit_is_said_in_words(
    http: httpx.AsyncClient, spender: SignedIn, path: str, field: str, message: str
) -> None:
    answer = await http.get(f"{BASE}/credits{path}", headers=spender.headers)
    errors = assert_problem(answer, 422, "invalid_request")["details"]["errors"]
    assert errors == [{"field": field, "message": message}]


async def test_what_is_not_there(http: httpx.AsyncClient, spender: SignedIn) -> None:
    other = await sign_up(http)
    theirs = (await _spend(http, other, idempotencyKey="theirs")).json()["transaction"]
    for path in (f"/transactions/{theirs['id']}", "/operations/theirs", "/operations/never"):
        answer = await http.get(f"{BASE}/credits{path}", headers=spender.headers)
        assert_problem(answer, 404, "not_found")
    for path in ("/transactions/x", "/operations/a%00b", "/operations/" + "k" * 201):
        answer = await http.get(f"{BASE}/credits{path}", headers=spender.headers)
        assert_problem(answer, 422, "invalid_request")


async def test_a_balance_shows_what_is_due_without_writing(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    """Yesterday's account: today's credits are shown, then granted by the next use; what has expired is not shown."""
    await owner.execute(
        "UPDATE credits.balances SET last_daily = current_date - 1 WHERE account_id = $1::text::uuid", spender.id
    )
    before = await _get(http, spender, "/balance")
    assert (before["freeCreditsRemaining"], before["totalEarned"]) == (155, 155)
    assert len(await _get(http, spender, "/transactions")) == 1
    assert (await _spend(http, spender, amount=1)).json()["balance"]["freeCreditsRemaining"] == 154
    assert (await _get(http, spender, "/balance"))["freeCreditsRemaining"] == 154
    await owner.execute(
        "UPDATE credits.lots SET expires_at = now() - interval '1 s'"
        " WHERE account_id = $1::text::uuid AND kind = 'signup'",
        spender.id,
    )
    shown = await _get(http, spender, "/balance")
    (lot,) = await _get(http, spender, "/lots")
    assert shown["freeCreditsRemaining"] == lot["remaining"]
    settled = (await _spend(http, spender, amount=1)).json()["balance"]
    assert settled["freeCreditsRemaining"] == shown["freeCreditsRemaining"] - 1
    assert settled["totalEarned"] == shown["totalEarned"]


async def test_packages_and_purchases(http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection) -> None:
    packages = await _get(http, spender, "/packages")
    assert packages == sorted(packages, key=lambda package: package["sortOrder"])
    assert set(packages[0]) == {
        *("id", "name", "description", "credits", "priceEuroCents", "stripePriceId", "sortOrder", "active"),
        "otherPrices",
    }
    assert await _get(http, spender, "/purchases") == []
    await owner.execute(
        "INSERT INTO credits.purchases (account_id, id, package_id, credits, price_euro_cents, amount, status,"
        " created_at) VALUES ($1::text::uuid, gen_random_uuid(), $2, 500, 500, 500, 'pending', now())",
        spender.id,
        packages[0]["id"],
    )
    assert (await _get(http, spender, "/balance"))["debt"] == 0
    await owner.execute(
        "UPDATE credits.purchases SET status = 'refunded', paid = true, completed_at = now(), taken = 500, debt = 30,"
        " stripe_payment_intent_id = gen_random_uuid() WHERE account_id = $1::text::uuid",
        spender.id,
    )
    assert (await _get(http, spender, "/balance"))["debt"] == 30
    (purchase,) = await _get(http, spender, "/purchases")
    assert (purchase["debt"], purchase["status"]) == (30, "refunded")
    assert set(purchase) == {
        *("id", "packageId", "credits", "priceEuroCents", "amount", "currency", "status"),
        *("stripeCheckoutSessionId", "stripePaymentIntentId", "createdAt", "completedAt", "debt"),
    }


async def test_an_account_that_is_not_open_is_unknown(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    await owner.execute("DELETE FROM credits.balances WHERE account_id = $1::text::uuid", spender.id)
    answer = await http.get(f"{BASE}/credits/balance", headers=spender.headers)
    assert_problem(answer, 404, "unknown_user")


async def test_hundreds_of_uses_at_once_take_what_is_there_and_no_more(
    http: httpx.AsyncClient, spender: SignedIn
) -> None:
    # A session's first request asks the database for it, and so many at once would wait for connections.
    assert (await _spend(http, spender, amount=1)).status_code == 200
    answers = await asyncio.gather(*(_spend(http, spender, amount=1) for _ in range(199)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(402)) == (149, 50)
    assert (await _get(http, spender, "/balance"))["freeCreditsRemaining"] == 0


async def test_an_alert_is_set_changed_and_taken_away(http: httpx.AsyncClient, spender: SignedIn) -> None:
    assert await _get(http, spender, "/alert") == {"below": None}
    for below in (50, 1_000_000_000, None):
        put = await http.put(f"{BASE}/credits/alert", json={"below": below}, headers=spender.headers)
        assert (put.status_code, put.json()) == (200, {"below": below})
        assert await _get(http, spender, "/alert") == {"below": below}


@pytest.mark.parametrize("body", [{}, {"below": 0}, {"below": 1_000_000_001}, {"below": "5"}, {"below": 1, "x": 1}])
async def test_an_alert_that_is_none(http: httpx.AsyncClient, spender: SignedIn, body: dict[str, Any]) -> None:
    answer = await http.put(f"{BASE}/credits/alert", json=body, headers=spender.headers)
    assert_problem(answer, 422, "invalid_request")


async def test_the_transaction_that_crosses_the_alert_carries_it(
    http: httpx.AsyncClient, spender: SignedIn, owner: asyncpg.Connection
) -> None:
    await http.put(f"{BASE}/credits/alert", json={"below": 148}, headers=spender.headers)
    for _ in range(2):
        await _spend(http, spender, amount=2)
    thresholds = await owner.fetch(
        "SELECT low_threshold FROM credits.transactions WHERE account_id = $1::text::uuid ORDER BY sequence", spender.id
    )
    assert [row["low_threshold"] for row in thresholds] == [None, None, 148]
