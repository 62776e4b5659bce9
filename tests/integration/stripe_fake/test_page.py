"""The page that buyers see, as a browser without scripts would use it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from tests.integration.stripe_fake.shop import Shop

GOOD = {"method": "card", "number": "4242 4242 4242 4242", "expiry": "12/34", "cvc": "123", "email": "a@example.org"}


@pytest_asyncio.fixture
async def browser() -> AsyncGenerator[httpx.AsyncClient]:
    """Follows no redirect: where it is sent is what the tests look at."""
    async with httpx.AsyncClient() as http:
        yield http


async def test_a_buyer_pays(shop: Shop, browser: httpx.AsyncClient) -> None:
    """What it costs is shown, a wrong number and a declined card are said, then the way leads back to the shop."""
    session = await shop.session(1999)
    shown = await browser.get(session.url)
    assert shown.status_code == 200
    assert "19.99 EUR" in shown.text
    assert 'href="https://shop.example/cancelled"' in shown.text
    wrong = await browser.post(session.url, data={**GOOD, "number": "1234"})
    assert "number is invalid" in wrong.text
    declined = await browser.post(session.url, data={**GOOD, "number": "4000000000000002"})
    assert declined.status_code == 402
    assert "Your card was declined." in declined.text
    assert (await shop.types())[-1] == "payment_intent.payment_failed"
    paid = await browser.post(session.url, data=GOOD)
    back = f"https://shop.example/done?session={session.id}"
    assert (paid.status_code, paid.headers["location"]) == (303, back)
    again = await browser.post(session.url, data=GOOD)
    assert (again.status_code, again.headers["location"]) == (303, back)
    assert (await shop.types()).count("checkout.session.completed") == 1
    completed = await shop.client.v1.checkout.sessions.retrieve_async(session.id)
    assert completed.customer_details is not None
    assert completed.customer_details.email == "a@example.org"
    assert "complete" in (await browser.get(session.url)).text


@pytest.mark.parametrize(
    ("currency", "total"), [("jpy", "300 JPY"), ("usd", "3.00 USD"), ("ugx", "3.00 UGX")], ids=["yen", "dollars", "UGX"]
)
async def test_an_amount_is_shown_in_units_of_its_currency(
    shop: Shop, browser: httpx.AsyncClient, currency: str, total: str
) -> None:
    """Some have no smaller unit; the shilling of Uganda is named in hundredths to Stripe all the same."""
    price = {"currency": currency, "unit_amount": 300, "product_data": {"name": "300 credits"}}
    session = await shop.session(line_items=[{"price_data": price, "quantity": 1}])
    shown = (await browser.get(session.url)).text
    assert f'id="total">{total}<' in shown
    assert f", 1 of {total}</p>" in shown
    assert f">Pay {total}</button>" in shown


async def test_a_buyer_pays_by_bank_debit(shop: Shop, browser: httpx.AsyncClient) -> None:
    """Offered for euros only."""
    session = await shop.session()
    debit = {"method": "sepa_debit", "iban": "AT61 1904 3002 3457 3201", "email": "a@example.org"}
    assert (await browser.post(session.url, data=debit)).status_code == 303
    assert (await shop.client.v1.checkout.sessions.retrieve_async(session.id)).payment_status == "unpaid"
    cards_only = await shop.session(payment_method_types=["card"])
    assert "IBAN" not in (await browser.get(cards_only.url)).text
    assert (await browser.post(cards_only.url, data=debit)).status_code == 402


async def test_nothing_is_paid_twice_or_after_the_end(shop: Shop, browser: httpx.AsyncClient) -> None:
    """An expired session says so; an unknown one is not found; what sellers write is no markup."""
    session = await shop.session(customer_email='"><script>@example.org')
    assert "&lt;script&gt;" in (await browser.get(session.url)).text
    assert "<script>" not in (await browser.get(session.url)).text
    await shop.client.v1.checkout.sessions.expire_async(session.id)
    late = await browser.post(session.url, data=GOOD)
    assert "expired" in late.text
    assert "payment_intent.created" not in await shop.types()
    assert (await browser.get(f"{shop.url}/c/pay/cs_test_none")).status_code == 404
