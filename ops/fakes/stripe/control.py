"""The stand-in's own switches, below ``/_test``: what a bank, a customer, time or bad luck would do.

``GET /health``; ``GET``/``PATCH /switches``; ``POST /clock``; ``POST /checkout/sessions/{id}/pay``;
``POST /payment_intents/{id}/settle``; ``PATCH /payment_methods/{id}``; ``POST /refunds/{id}/settle``;
``POST /disputes`` and ``/disputes/{id}/{act}``; ``GET /deliveries``, ``POST /deliveries/now``; ``POST /events``,
``/events/{id}/send``; ``POST /webhook_endpoints/{id}/roll``. Objects are found by their ids in both modes.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from ops.fakes.stripe import cards, checkout, disputes, endpoints, events, payments, refunds
from ops.fakes.stripe.account import Account, Settings
from ops.fakes.stripe.delivery import Courier, Switches
from ops.fakes.stripe.errors import JSON, missing, refused

_ACTS: dict[str, Callable[[Account, JSON], object]] = {
    "escalate": disputes.escalate,
    "submit": disputes.submit,
    "win": disputes.win,
    "lose": disputes.lose,
    "reinstate": disputes.reinstate,
    "drop": disputes.drop,
}


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SwitchesWish(_Wish):
    """See ``delivery.Switches`` and ``account.Settings``; what is not named stays as it is."""

    repeat: int | None = Field(None, ge=1, le=100)
    delay_seconds: float | None = Field(None, ge=0)
    shuffle_seconds: float | None = Field(None, ge=0)
    lose_next: int | None = Field(None, ge=0)
    lose_share: float | None = Field(None, ge=0, le=1)
    hold: bool | None = None
    concurrency: int | None = Field(None, ge=1, le=256)
    retry_seconds: float | None = Field(None, gt=0)
    retry_most_seconds: float | None = Field(None, gt=0)
    refunds_pending: bool | None = None
    async_seconds: float | None = Field(None, ge=0)
    answer_delay_seconds: float | None = Field(None, ge=0)
    answers_failed: int | None = Field(None, ge=0)
    answers_lost: int | None = Field(None, ge=0)


class ClockWish(_Wish):
    """Moves time ahead."""

    advance_seconds: float = Field(gt=0)


class PayWish(_Wish):
    """What a buyer would type on the page: a card's number or an IBAN."""

    number: str | None = None
    iban: str | None = None
    email: str | None = None


class SettleIntentWish(_Wish):
    """How a bank debit ends."""

    succeed: bool


class MethodWish(_Wish):
    """Why charging it is declined from now on, in Stripe's word (``insufficient_funds``); null: it is not."""

    decline: str | None


class SettleRefundWish(_Wish):
    """What becomes of a refund."""

    status: Literal["succeeded", "failed", "canceled"]


class DisputeWish(_Wish):
    """Which charge is disputed, by its own id or its payment intent's; without an amount, what was not given back."""

    charge: str | None = None
    payment_intent: str | None = None
    amount: int | None = Field(None, ge=1)
    reason: str = "fraudulent"
    inquiry: bool = False


class SendWish(_Wish):
    """How often an event is sent again."""

    times: int = Field(1, ge=1, le=1_000)


class ForgeWish(_Wish):
    """An event that nothing here caused; sent like any other, in test mode."""

    type: str
    object: JSON
    account: str | None = None
    livemode: bool | None = None


class RollWish(_Wish):
    """How long the old secret stays good."""

    overlap_seconds: int = Field(86_400, ge=0)


class Control:
    """The answers to all of them."""

    def __init__(
        self, accounts: tuple[Account, Account], couriers: tuple[Courier, Courier], switches: Switches
    ) -> None:
        self._accounts = accounts
        self._couriers = couriers
        self._switches = switches
        self._settings: Settings = accounts[0].settings
        self.router = router = APIRouter(prefix="/_test")
        router.get("/health")(self.health)
        router.get("/switches")(self.switches)
        router.patch("/switches")(self.switch)
        router.post("/clock")(self.clock)
        router.post("/checkout/sessions/{name}/pay")(self.pay)
        router.post("/payment_intents/{name}/settle")(self.settle_intent)
        router.patch("/payment_methods/{name}")(self.method)
        router.post("/refunds/{name}/settle")(self.settle_refund)
        router.post("/disputes")(self.dispute)
        router.post("/disputes/{name}/{act}")(self.dispute_act)
        router.get("/deliveries")(self.deliveries)
        router.post("/deliveries/now")(self.deliver_now)
        router.post("/events")(self.forge)
        router.post("/events/{name}/send")(self.send)
        router.post("/webhook_endpoints/{name}/roll")(self.roll)

    def _find(self, kind: str, name: str) -> tuple[Account, JSON]:
        for account in self._accounts:
            found = account.find(name)
            if found is not None and found["object"] == kind:
                return account, found
        raise missing(kind, name)

    async def health(self) -> JSON:
        """Whether it is there."""
        return {"ready": True}

    async def switches(self) -> JSON:
        """How they stand."""
        return {**asdict(self._switches), **asdict(self._settings)}

    async def switch(self, wish: SwitchesWish) -> JSON:
        """Sets some of them."""
        for name, value in wish.model_dump(exclude_unset=True).items():
            setattr(self._switches if hasattr(self._switches, name) else self._settings, name, value)
        for courier in self._couriers:
            courier.pump()
        return await self.switches()

    async def clock(self, wish: ClockWish) -> JSON:
        """What is due by then happens now."""
        clock = self._accounts[0].clock
        clock.advance(wish.advance_seconds)
        return {"now": clock.now()}

    async def pay(self, name: str, wish: PayWish) -> JSON:
        """Pays like the page; the answer has the session and, where it was declined, why."""
        account, session = self._find("checkout.session", name)
        method = cards.card(wish.number or "") if wish.iban is None else cards.bank_account(wish.iban)
        if method is None:
            raise refused("That is none of the test cards or test bank accounts.")
        return {"error": checkout.pay(account, session, checkout.Buyer(method, wish.email)), "session": session}

    async def settle_intent(self, name: str, wish: SettleIntentWish) -> JSON:
        """The bank decides."""
        account, intent = self._find("payment_intent", name)
        if intent["status"] != "processing":
            raise payments.unexpected(intent, "settle")
        payments.decide(account, intent, succeed=wish.succeed)
        return intent

    async def method(self, name: str, wish: MethodWish) -> JSON:
        """A card is declined from now on, or is good again."""
        account, method = self._find("payment_method", name)
        declined = None if wish.decline is None else cards.decline(wish.decline)
        account.behaviour[name] = replace(account.behaviour[name], decline=declined, off_session=None)
        return method

    async def settle_refund(self, name: str, wish: SettleRefundWish) -> JSON:
        """The customer's bank takes it, or does not."""
        account, refund = self._find("refund", name)
        refunds.settle(account, refund, wish.status)
        return refund

    async def dispute(self, wish: DisputeWish) -> JSON:
        """The customer goes to the bank."""
        if wish.charge is not None:
            account, charge = self._find("charge", wish.charge)
        else:
            account, intent = self._find("payment_intent", wish.payment_intent or "")
            charge = account.get("charge", intent["latest_charge"] or "")
        return disputes.open_(account, charge, wish.reason, amount=wish.amount, inquiry=wish.inquiry)

    async def dispute_act(
        self, name: str, act: Literal["escalate", "submit", "win", "lose", "reinstate", "drop"]
    ) -> JSON:
        """What becomes of a dispute."""
        account, dispute = self._find("dispute", name)
        _ACTS[act](account, dispute)
        return dispute

    async def deliveries(
        self, event: Annotated[str | None, Query()] = None, state: Annotated[str | None, Query()] = None
    ) -> JSON:
        """Each with what the endpoint answered."""
        return {"data": [row for courier in self._couriers for row in courier.shown(event, state)]}

    async def deliver_now(self) -> JSON:
        """Sends all that waits; the answer, once each was tried, counts the states."""
        counts: Counter[str] = Counter()
        for courier in self._couriers:
            counts += await courier.now()
        return dict(counts)

    async def forge(self, wish: ForgeWish) -> JSON:
        """Stripe's own signature on whatever one likes."""
        fields = wish.model_dump(exclude_unset=True, exclude={"type", "object"})
        return events.forge(self._accounts[0], wish.type, wish.object, fields)

    async def send(self, name: str, wish: SendWish) -> JSON:
        """Sends an event again."""
        account, event = self._find("event", name)
        courier = self._couriers[self._accounts.index(account)]
        return {"data": [asdict(one) for one in courier.send_again(event, wish.times)]}

    async def roll(self, name: str, wish: RollWish) -> JSON:
        """A new secret for an endpoint."""
        account, endpoint = self._find("webhook_endpoint", name)
        return {"id": name, "secret": endpoints.roll(account, endpoint, wish.overlap_seconds)}
