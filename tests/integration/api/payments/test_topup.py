"""Automatic top-up as its user sets it: with the payment method that was saved last, and with none not at all."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.integration.api.payments.shop import PACKAGE, Buyer, Shop
from tests.integration.api.users import BASE, SignedIn, assert_problem, fields, sign_up

TOPUP: Final = f"{BASE}/credits/topup"
WISH: Final = {"below": 100, "packageId": PACKAGE, "maxPerMonth": 3}
UNSET: Final = ("below", "packageId", "maxPerMonth", "disabledReason", "createdAt", "updatedAt")
NOTHING: Final = {"enabled": False} | dict.fromkeys(UNSET)


async def _put(buyer: Buyer, **changes: Any) -> httpx.Response:
    return await buyer.shop.http.put(TOPUP, json={**WISH, **changes}, headers=buyer.user.headers)


async def _get(buyer: Buyer) -> dict[str, Any]:
    answer = await buyer.shop.http.get(TOPUP, headers=buyer.user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _save(buyer: Buyer, key: str = "1") -> str:
    """Buys once, and lets the payment method be kept; which that is."""
    opened = await buyer.buy(key, savePaymentMethod=True)
    session = opened["purchase"]["stripeCheckoutSessionId"]
    assert await buyer.shop.remote.pay(session) is None
    paid = await buyer.shop.at_stripe(f"checkout/sessions/{session}")
    return (await buyer.shop.at_stripe(f"payment_intents/{paid['payment_intent']}"))["payment_method"]


async def _row(buyer: Buyer) -> asyncpg.Record | None:
    return await buyer.shop.owner.fetchrow(
        "SELECT * FROM credits.topups WHERE account_id = $1::text::uuid", buyer.user.id
    )


async def _events(buyer: Buyer) -> list[tuple[str, str | None]]:
    rows = await buyer.shop.owner.fetch(
        "SELECT type, details::text FROM auth.security_events"
        " WHERE user_id = $1::text::uuid AND type LIKE 'topup.%' ORDER BY id",
        buyer.user.id,
    )
    return [(row["type"], row["details"]) for row in rows]


async def test_it_is_off_until_its_user_switches_it_on(buyer: Buyer) -> None:
    method = await _save(buyer)
    assert await _get(buyer) == NOTHING
    answer = await _put(buyer)
    assert answer.status_code == 200
    topup = answer.json()
    assert topup == await _get(buyer) == NOTHING | WISH | {"enabled": True} | _times(topup)
    row = await _row(buyer)
    assert row is not None
    assert (row["stripe_payment_method_id"], row["livemode"], row["purchase_id"]) == (method, False, None)

    deleted = await buyer.shop.http.delete(TOPUP, headers=buyer.user.headers)
    assert deleted.json() == await _get(buyer) == topup | {"enabled": False} | _times(deleted.json())
    assert (await buyer.shop.http.delete(TOPUP, headers=buyer.user.headers)).status_code == 200
    on = f'{{"below":100,"packageId":"{PACKAGE}","maxPerMonth":3}}'
    assert await _events(buyer) == [("topup.enabled", on), ("topup.disabled", None)]


async def test_the_payment_method_that_was_saved_last_pays(shop: Shop, buyer: Buyer) -> None:
    first = await _save(buyer, "1")
    await shop.remote.advance(2)
    second = await _save(buyer, "2")
    assert (await _put(buyer)).status_code == 200
    row = await _row(buyer)
    assert row is not None
    assert row["stripe_payment_method_id"] == second != first


async def test_after_a_decline_it_can_be_switched_on_again(shop: Shop, buyer: Buyer) -> None:
    await _save(buyer)
    await _put(buyer)
    await shop.owner.execute(
        "UPDATE credits.topups SET enabled = false, disabled_reason = 'expired_card' WHERE account_id = $1::text::uuid",
        buyer.user.id,
    )
    declined = await _get(buyer)
    assert (declined["enabled"], declined["disabledReason"]) == (False, "expired_card")
    again = (await _put(buyer, below=7)).json()
    assert (again["enabled"], again["disabledReason"], again["below"]) == (True, None, 7)
    assert again["createdAt"] == declined["createdAt"]


async def test_who_switches_it_on_again_knows_of_the_money_that_went_back(shop: Shop, buyer: Buyer) -> None:
    """Who only changes it may not have been told yet: it is to be switched off first."""
    await _save(buyer)
    facts = "UPDATE credits.purchases SET {} WHERE account_id = $1::text::uuid"
    await shop.owner.execute(facts.format("""refunds = '{"re_1": [5, "succeeded"]}'"""), buyer.user.id)
    await _put(buyer)
    row = await _row(buyer)
    assert row is not None
    assert row["money_back"] == ['re_1[5, "succeeded"]']
    await shop.owner.execute(facts.format("""disputes = '{"dp_1": [5, "open"]}'"""), buyer.user.id)
    await _put(buyer, below=7)
    changed = await _row(buyer)
    assert changed is not None
    assert (changed["below"], changed["enabled"], changed["money_back"]) == (7, True, row["money_back"])
    await shop.http.delete(TOPUP, headers=buyer.user.headers)
    await _put(buyer)
    row = await _row(buyer)
    assert row is not None
    assert sorted(row["money_back"]) == ['dp_1[5, "open"]', 're_1[5, "succeeded"]']


async def test_without_a_saved_payment_method_it_cannot_be_switched_on(shop: Shop, buyer: Buyer) -> None:
    assert "savePaymentMethod" in assert_problem(await _put(buyer), 422, "invalid_request")["detail"]
    opened = await buyer.buy()
    assert await shop.remote.pay(opened["purchase"]["stripeCheckoutSessionId"]) is None
    assert "savePaymentMethod" in assert_problem(await _put(buyer), 422, "invalid_request")["detail"]
    await shop.owner.execute(
        "UPDATE credits.customers SET stripe_customer_id = 'cus_gone' WHERE account_id = $1::text::uuid", buyer.user.id
    )
    assert "savePaymentMethod" in assert_problem(await _put(buyer), 422, "invalid_request")["detail"]
    assert (await _row(buyer), await _events(buyer)) == (None, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"below": 0}, "below"),
        ({"below": 1_000_000_001}, "below"),
        ({"maxPerMonth": 0}, "maxPerMonth"),
        ({"maxPerMonth": 101}, "maxPerMonth"),
        ({"packageId": "credits-7"}, "packageId"),
        ({"enabled": True}, "enabled"),
    ],
)
async def test_what_cannot_be_set(buyer: Buyer, change: dict[str, Any], field: str) -> None:
    assert fields(assert_problem(await _put(buyer, **change), 422, "invalid_request")) == [field]


async def test_a_retired_package_is_not_bought(shop: Shop, buyer: Buyer) -> None:
    await shop.offer("retired-top-up")
    await shop.owner.execute("UPDATE credits.packages SET active = false WHERE id = 'retired-top-up'")
    refused = assert_problem(await _put(buyer, packageId="retired-top-up"), 422, "invalid_request")
    assert fields(refused) == ["packageId"]


async def test_others_see_nothing_of_it(shop: Shop, buyer: Buyer) -> None:
    await _save(buyer)
    await _put(buyer)
    somebody = Buyer(shop, await sign_up(shop.http))
    assert await _get(somebody) == NOTHING
    await shop.http.delete(TOPUP, headers=somebody.user.headers)
    assert (await _get(buyer))["enabled"]
    for method in ("GET", "PUT", "DELETE"):
        assert_problem(await shop.http.request(method, TOPUP), 401, "unauthorized")


async def test_without_a_key_it_can_be_looked_at_and_switched_off(http: httpx.AsyncClient, user: SignedIn) -> None:
    assert_problem(await http.put(TOPUP, json=WISH, headers=user.headers), 503, "payments_disabled")
    assert (await http.get(TOPUP, headers=user.headers)).json() == NOTHING
    assert (await http.delete(TOPUP, headers=user.headers)).json() == NOTHING


def _times(topup: dict[str, Any]) -> dict[str, Any]:
    assert topup["createdAt"].endswith("Z")
    return {name: topup[name] for name in ("createdAt", "updatedAt")}
