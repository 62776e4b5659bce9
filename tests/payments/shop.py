"""Stories, made to happen: purchases' rows as the front writes them, and all else at the stand-in for Stripe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.integration.workers.payments import Event, Seller
from tests.payments.stories import Step, Story

_DECLINED: Final = "4000000000000002"
_CARD: Final = "4242424242424242"
_DEBIT: Final = "AT61 1904 3002 3457 3201"


@dataclass
class Sale:
    """A story that happens. ``refunds`` and ``disputes``: Stripe's ids, by the story's numbers."""

    story: Story
    user: str
    purchase: str
    session: str
    intent: str = ""
    refunds: dict[int, str] = field(default_factory=dict[int, str])
    disputes: dict[int, str] = field(default_factory=dict[int, str])


class Shop:
    """All sales of one stand-in, and what it has to tell of them."""

    def __init__(self, seller: Seller) -> None:
        self._seller = seller
        self._pending: bool | None = None
        self._told = set[str]()
        self._by_purchase = dict[str, Sale]()
        self._by_intent = dict[str, Sale]()

    async def begin(self, story: Story, user: str) -> Sale:
        """A purchase and its checkout; our database learns of the latter where the story says so."""
        metadata = await self._seller.begin(user, size=story.credits, price=story.price)
        sale = Sale(story, user, metadata["purchase_id"], await self._seller.checkout(metadata, story.price))
        if story.known:
            await self._seller.owner.execute(
                "UPDATE credits.purchases SET stripe_checkout_session_id = $1 WHERE id = $2::text::uuid",
                sale.session,
                sale.purchase,
            )
        self._by_purchase[sale.purchase] = sale
        return sale

    async def perform(self, sale: Sale, steps: Iterable[Step]) -> None:
        """What happens, one after the other."""
        for step in steps:
            await self._perform(sale, step)

    async def news(self) -> list[tuple[Event, Sale | None]]:
        """What Stripe has to tell since this was asked last, and whom it concerns; the oldest first."""
        found: list[Event] = []
        wish = {"limit": "100"}
        while True:
            page = await self._seller.ask("GET", "/v1/events", params=wish)
            new = [event for event in page["data"] if event["id"] not in self._told]
            found += new
            if not page["has_more"] or len(new) < len(page["data"]):
                break
            wish["starting_after"] = page["data"][-1]["id"]
        self._told.update(event["id"] for event in found)
        return [(event, self._concerned(event["data"]["object"])) for event in reversed(found)]

    def _concerned(self, thing: dict[str, Any]) -> Sale | None:
        intent = thing["id"] if thing["object"] == "payment_intent" else thing.get("payment_intent")
        return self._by_intent.get(intent or "") or self._by_purchase.get(thing.get("metadata", {}).get("purchase_id"))

    async def _perform(self, sale: Sale, step: Step) -> None:
        remote = self._seller.remote
        match step.act:
            case "decline":
                assert await remote.pay(sale.session, _DECLINED)
            case "pay":
                assert await remote.pay(sale.session, _CARD) is None
                await self._learn_intent(sale)
            case "debit":
                assert await remote.pay(sale.session, iban=_DEBIT) is None
                await self._learn_intent(sale)
            case "cleared" | "bounced":
                await remote.settle_intent(sale.intent, succeed=step.act == "cleared")
            case "expire":
                await self._seller.ask("POST", f"/v1/checkout/sessions/{sale.session}/expire")
            case "refund":
                await self._refunds_are(pending=step.word == "pending")
                sale.refunds[step.number] = await self._seller.refund(sale.intent, step.amount)
            case "settle":
                await remote.settle_refund(sale.refunds[step.number], step.word)
            case "dispute":
                wish: dict[str, Any] = {"amount": step.amount, "inquiry": step.word == "inquiry"}
                sale.disputes[step.number] = (await remote.dispute(sale.intent, **wish))["id"]
            case "decide":
                await remote.act(sale.disputes[step.number], step.word)

    async def _learn_intent(self, sale: Sale) -> None:
        session = await self._seller.ask("GET", f"/v1/checkout/sessions/{sale.session}")
        sale.intent = session["payment_intent"]
        self._by_intent[sale.intent] = sale

    async def _refunds_are(self, *, pending: bool) -> None:
        """A debit's stay pending for as long as this is switched on, and a card's too."""
        if pending != self._pending:
            await self._seller.remote.switch(refunds_pending=pending)
            self._pending = pending
