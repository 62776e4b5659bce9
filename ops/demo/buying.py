"""The demo's second part: a package is bought, paid for on the stand-in's page, and its credits come."""

import asyncio
from typing import Any

import httpx

from ops import stand_in
from ops.demo.steps import call, send, show
from ops.errors import LauncherError

_BUYER = {
    "method": "card",
    "email": "ada@example.com",
    "number": "4242 4242 4242 4242",
    "expiry": "12/34",
    "cvc": "123",
    "name": "Ada",
}
_CREDITED_SECONDS = 20.0
# Between two looks: soon at first, and then seldom enough for the limit on requests.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


async def run(front: httpx.AsyncClient, stripe_url: str) -> None:
    """Choose the first package, buy it, pay as a buyer does, wait for the credits; the user is logged in already.

    `stripe_url` is where Stripe's stand-in is. Raises LauncherError at the first step that is not as it should be.
    """
    package = await _choose(front)
    before = await call(front, "GET", "/credits/balance", 200)
    bought = await call(front, "POST", "/credits/purchases", 201, {"packageId": package["id"]})
    purchase, checkout = bought["purchase"], bought["checkoutUrl"]
    _expect(purchase, "pending")
    show("purchase", f"{purchase['id']}, {purchase['status']}")
    show("checkout", checkout)
    await pay(checkout, stripe_url)
    completed = await _credited(front, purchase["id"])
    show("webhook", f"purchase {completed['status']}, paid by {completed['stripePaymentIntentId']}")
    after = await call(front, "GET", "/credits/balance", 200)
    if after["balance"] != before["balance"] + package["credits"]:
        raise LauncherError(f"The demo bought {package['credits']} credits, and {before} became {after}.")
    show("bought", f"{package['credits']:+}, balance {_total(before)} → {_total(after)}")


async def _choose(front: httpx.AsyncClient) -> dict[str, Any]:
    packages = await call(front, "GET", "/credits/packages", 200)
    if not packages:
        raise LauncherError("The demo found no package to buy: see ./mana packages apply.")
    for package in packages:
        show(
            "package", f"{package['name']}: {package['credits']} credits for {package['priceEuroCents'] / 100:.2f} EUR"
        )
    return packages[0]


async def pay(checkout: str, stripe_url: str) -> None:
    """On the page, like a browser: its form is filled in and sent, and the answer leads back to the shop."""
    if not checkout.startswith(f"{stripe_url}/"):
        raise LauncherError(f"The demo pays at the stand-in {stripe_url} alone, and the checkout is {checkout}.")
    async with httpx.AsyncClient(timeout=30, trust_env=False) as browser:
        page = await send(browser, browser.build_request("GET", checkout), 200, stand_in.NAME)
        if 'id="payment-form"' not in page.text:
            raise LauncherError(f"The demo found no form on {checkout}: see ./mana logs stripe.")
        paid = await send(browser, browser.build_request("POST", checkout, data=_BUYER), 303, stand_in.NAME)
        show("paid", f"by card {_BUYER['number']}, sent back to {paid.headers['location']}")


async def _credited(front: httpx.AsyncClient, purchase: str) -> dict[str, Any]:
    """The purchase once Stripe's event has come all the way: by the webhook, the queue and the worker to the ledger."""
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(_CREDITED_SECONDS):
            while True:
                listed = await call(front, "GET", "/credits/purchases", 200)
                found = next((one for one in listed if one["id"] == purchase), None)
                if found and found["status"] != "pending":
                    _expect(found, "completed")
                    return found
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
    except TimeoutError:
        raise LauncherError(
            f"The demo's purchase was paid, and its credits did not come within {_CREDITED_SECONDS:.0f} s: see"
            " ./mana status, ./mana logs api and ./mana logs payments."
        ) from None


def _expect(purchase: dict[str, Any], status: str) -> None:
    if purchase["status"] != status:
        raise LauncherError(f"The demo's purchase should be {status}, and is {purchase['status']}.")


def _total(balance: dict[str, Any]) -> int:
    return balance["balance"] + balance["freeCreditsRemaining"]
