"""A buyer with a browser, on the checkout page of Stripe's stand-in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx
from playwright.async_api import Page, expect

from tests.integration.api.users import BASE, SignedIn

GOOD: Final = "4242 4242 4242 4242"
DECLINED: Final = "4000 0000 0000 0002"
_CREDITED_SECONDS: Final = 20


async def click_through(page: Page, checkout: str, total: str) -> None:
    """Goes there, goes back unpaid, comes again, is declined, and pays with another card: from page to page, back to
    the shop."""
    await page.goto(checkout)
    await expect(page.locator("#total")).to_have_text(total)
    await page.locator("#cancel").click()
    await expect(page.get_by_role("heading")).to_have_text("Not paid")
    await page.go_back()
    await _pay(page, DECLINED)
    await expect(page.locator("#error")).to_have_text("Your card was declined.")
    await expect(page).to_have_url(checkout)
    await _pay(page, GOOD)
    await expect(page.get_by_role("heading")).to_have_text("Thank you")


async def _pay(page: Page, number: str) -> None:
    """Fills in the form as a person does, the card's number key by key, and sends it."""
    await page.locator("#method-card").check()
    await page.locator("#email").fill("ada@example.com")
    await page.locator("#number").clear()
    await page.locator("#number").press_sequentially(number)
    await page.locator("#expiry").fill("12/34")
    await page.locator("#cvc").fill("123")
    await page.locator("#name").fill("Ada")
    await page.locator("#pay").click()


async def begun(http: httpx.AsyncClient, user: SignedIn, package: str) -> tuple[dict[str, Any], str]:
    """A purchase of the user's, and where it is paid."""
    answer = await http.post(f"{BASE}/credits/purchases", json={"packageId": package}, headers=user.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["purchase"], answer.json()["checkoutUrl"]


async def completed(http: httpx.AsyncClient, user: SignedIn, purchase: str) -> dict[str, Any]:
    """The purchase once its credits have come. It is looked at seldom enough for the limit on requests."""
    pause = 0.1
    async with asyncio.timeout(_CREDITED_SECONDS):
        while True:
            [found] = await read(http, user, "purchases")
            assert found["id"] == purchase
            if found["status"] == "completed":
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1)


async def read(http: httpx.AsyncClient, user: SignedIn, what: str) -> Any:
    """What the front tells the user of their credits."""
    answer = await http.get(f"{BASE}/credits/{what}", headers=user.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()
