"""Sends events to webhook endpoints: signed, again until they are taken, and as badly as it is told to."""

import asyncio
import json
import random
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Literal

import httpx

from ops.fakes.stripe import endpoints
from ops.fakes.stripe.account import Account, new_id
from ops.fakes.stripe.errors import JSON

_PATIENCE_SECONDS = 20.0
_GIVE_UP_SECONDS = 3 * 86_400
_EXCERPT = 200

State = Literal["waiting", "held", "lost", "delivered", "given_up"]


@dataclass
class Switches:
    """How deliveries go wrong. They are looked at when an event happens; ``hold`` and ``concurrency`` always."""

    repeat: int = 1
    """Each event is sent so many times."""
    delay_seconds: float = 0.0
    """So much later than it happened."""
    shuffle_seconds: float = 0.0
    """And by chance up to so much later: events within that time overtake each other."""
    lose_next: int = 0
    """So many of the next deliveries never happen, and are not tried again."""
    lose_share: float = 0.0
    """Such a share of all deliveries, by chance."""
    hold: bool = False
    """Nothing is sent until it is false again."""
    concurrency: int = 16
    """So many deliveries are under way at once; with 1 they arrive in order."""
    retry_seconds: float = 1.0
    """The first pause after a delivery that was not taken; it doubles each time."""
    retry_most_seconds: float = 3_600.0
    """The longest pause."""


@dataclass
class Delivery:
    """One event on its way to one endpoint."""

    event: str
    type: str
    endpoint: str
    url: str
    id: str = field(default_factory=lambda: new_id("dlv"))
    state: State = "waiting"
    answers: list[JSON] = field(default_factory=list[JSON])
    """What the endpoint said, each time: ``status`` and how its body began, or ``error`` where it said nothing."""


@dataclass(eq=False)
class _Parcel:
    """A delivery that is not over, with all that sending it needs."""

    delivery: Delivery
    event: JSON
    body: str
    next_pause: float
    waited: float = 0.0
    timer: asyncio.TimerHandle | None = None
    onlookers: list[asyncio.Future[None]] = field(default_factory=list[asyncio.Future[None]])
    """Who waits for its next try to be over."""


class Courier:
    """Carries events of one account. Chance comes from a seed, so that a run can be had again."""

    def __init__(self, account: Account, switches: Switches, seed: int) -> None:
        self.deliveries: list[Delivery] = []
        self._account = account
        self._switches = switches
        self._chance = random.Random(seed)  # noqa: S311 - no secret is made of it
        self._open: set[_Parcel] = set()
        self._ready: deque[_Parcel] = deque()
        self._arrived: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx.AsyncClient(timeout=_PATIENCE_SECONDS, limits=httpx.Limits(max_connections=None))

    def take(self, event: JSON) -> None:
        """Sends an event to each endpoint that wants its type."""
        wanting = self._wanting(event)
        event["pending_webhooks"] = len(wanting)
        body = json.dumps(event, indent=2, ensure_ascii=False)
        for endpoint in wanting:
            for _ in range(self._switches.repeat):
                delivery = self._delivery(event, endpoint)
                if self._is_lost():
                    delivery.state = "lost"
                else:
                    self._start(delivery, event, body, self._pause())

    def send_again(self, event: JSON, times: int) -> list[Delivery]:
        """Sends an event once more, whatever became of it, and whatever the switches say of delay and loss."""
        body = json.dumps(event, indent=2, ensure_ascii=False)
        sent = [self._delivery(event, endpoint) for endpoint in self._wanting(event) for _ in range(times)]
        for delivery in sent:
            self._start(delivery, event, body, 0.0)
        return sent

    async def now(self) -> Counter[str]:
        """Sends all that waits (for its time, its next try, its release), and waits until each was tried once."""
        hurried = list(self._open)
        tried = [asyncio.get_running_loop().create_future() for _ in hurried]
        for parcel, future in zip(hurried, tried, strict=True):
            parcel.onlookers.append(future)
            if parcel.timer is not None:
                parcel.timer.cancel()
                self._due(parcel)
        held, self._switches.hold = self._switches.hold, False
        self.pump()
        await asyncio.gather(*tried)
        self._switches.hold = held
        return Counter(delivery.state for delivery in self.deliveries)

    def pump(self) -> None:
        """Starts what is ready, as far as the switches let it: to be called once they were set."""
        if self._switches.hold:
            for parcel in self._ready:
                parcel.delivery.state = "held"
            return
        while self._ready and len(self._tasks) < self._switches.concurrency:
            task = asyncio.create_task(self._carry(self._ready.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._carried)

    async def close(self) -> None:
        """Nothing is sent any more."""
        for parcel in self._open:
            if parcel.timer is not None:
                parcel.timer.cancel()
        self._ready.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def shown(self, event: str | None, state: str | None) -> list[JSON]:
        """The deliveries, the oldest first."""
        return [
            asdict(delivery)
            for delivery in self.deliveries
            if event in (None, delivery.event) and state in (None, delivery.state)
        ]

    def _wanting(self, event: JSON) -> list[JSON]:
        known = self._account.all("webhook_endpoint")
        return [one for one in reversed(known) if endpoints.wants(one, event["type"])]

    def _delivery(self, event: JSON, endpoint: JSON) -> Delivery:
        delivery = Delivery(event["id"], event["type"], endpoint["id"], endpoint["url"])
        self.deliveries.append(delivery)
        return delivery

    def _is_lost(self) -> bool:
        if self._switches.lose_next > 0:
            self._switches.lose_next -= 1
            return True
        return self._chance.random() < self._switches.lose_share

    def _pause(self) -> float:
        switches = self._switches
        return switches.delay_seconds + self._chance.uniform(0, switches.shuffle_seconds)

    def _start(self, delivery: Delivery, event: JSON, body: str, pause: float) -> None:
        parcel = _Parcel(delivery, event, body, self._switches.retry_seconds)
        self._open.add(parcel)
        self._later(parcel, pause)

    def _later(self, parcel: _Parcel, seconds: float) -> None:
        if seconds > 0:
            parcel.timer = asyncio.get_running_loop().call_later(seconds, self._due, parcel)
        else:
            self._due(parcel)

    def _due(self, parcel: _Parcel) -> None:
        parcel.timer = None
        self._ready.append(parcel)
        self.pump()

    async def _carry(self, parcel: _Parcel) -> None:
        delivery = parcel.delivery
        delivery.state = "waiting"
        if self._listens(delivery) and await self._taken(delivery, parcel.body):
            self._arrive(parcel)
        elif parcel.waited >= _GIVE_UP_SECONDS or not self._listens(delivery):
            delivery.state = "given_up"
            self._open.discard(parcel)
        else:
            pause = parcel.next_pause
            parcel.waited += pause
            parcel.next_pause = min(pause * 2, self._switches.retry_most_seconds)
            self._later(parcel, pause)
        for onlooker in parcel.onlookers:
            onlooker.set_result(None)
        parcel.onlookers.clear()

    def _carried(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()
            self.pump()

    def _listens(self, delivery: Delivery) -> bool:
        """Endpoints that were deleted or disabled meanwhile are not asked any more."""
        endpoint = self._account.find(delivery.endpoint)
        return endpoint is not None and endpoint["status"] == "enabled"

    async def _taken(self, delivery: Delivery, body: str) -> bool:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": endpoints.signature(self._account, delivery.endpoint, body),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        at = self._account.clock.now()
        try:
            answer = await self._client.post(delivery.url, content=body.encode(), headers=headers)
        except httpx.HTTPError as error:
            delivery.answers.append({"at": at, "error": type(error).__name__})
            return False
        delivery.answers.append({"at": at, "status": answer.status_code, "body": answer.text[:_EXCERPT]})
        return answer.is_success

    def _arrive(self, parcel: _Parcel) -> None:
        delivery = parcel.delivery
        delivery.state = "delivered"
        self._open.discard(parcel)
        if (delivery.event, delivery.endpoint) not in self._arrived:
            self._arrived.add((delivery.event, delivery.endpoint))
            parcel.event["pending_webhooks"] = max(parcel.event["pending_webhooks"] - 1, 0)
