"""One owned partition: its deliveries as they come in, and its answers as they go out."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

import msgspec
from msgspec import Struct

from contracts.apps import NO_APPS, App, Apps
from contracts.permissions import Logins
from contracts.topology import PREFETCH, command_queue
from workers.broker.consumer import Consumer, Delivery, Reply
from workers.broker.link import Link
from workers.crash import crash
from workers.intake.answering import Answer
from workers.intake.fairness import Excess
from workers.intake.outbox import Keep, Outbox
from workers.intake.reading import Item, Read, read
from workers.meters import Meters


class Desk(Struct, frozen=True):
    """What all inlets of a worker share. ``arrived`` is told of an inlet that has something.

    ``reply_nodes``: those whose reply-to tokens may be answered, ``None`` where any may; ``apps``: the registered ones.
    ``admit`` takes one more message of an app on, or says why not; ``let_go``: so many of an app's are done with.
    ``refused`` is told of each that was not taken on: its login, its app, and the partition it came by.
    ``read`` makes an item of a delivery.
    """

    logins: Logins
    arrived: Callable[[Inlet], None]
    keep: Keep
    send_late: Callable[[Reply], None]
    meters: Meters
    reply_nodes: Callable[[], Collection[int] | None] = lambda: None
    apps: Callable[[], Apps] = lambda: NO_APPS
    admit: Callable[[App], Excess | None] = lambda _: None
    let_go: Callable[[str, int], None] = lambda _app_id, _commands: None
    refused: Callable[[str | None, App, int], None] = lambda _login, _app, _partition: None
    read: Read = read


class Inlet:
    """A partition's channel, to be subscribed. The prefetch bounds what it holds; once stopped it gives nothing out."""

    def __init__(self, partition: int, desk: Desk) -> None:
        self.partition = partition
        self._desk = desk
        self._inbox: deque[Item] = deque()
        self._consumer: Consumer
        self._outbox: Outbox
        self._taken = 0
        self._answered = 0
        self._of_apps = Counter[str]()
        """What is taken on and not answered, by app."""
        self._stopped = False
        self._settled = asyncio.Event()
        self._settled.set()

    @classmethod
    async def open(cls, link: Link, partition: int, desk: Desk) -> Inlet:
        """Opens the channel, with all that a delivery will need. Raises ``BrokerLostError``."""
        inlet = cls(partition, desk)
        inlet._consumer = await Consumer.open(link, inlet._on_delivery)
        inlet._outbox = Outbox(inlet._consumer, desk.keep, desk.send_late)
        return inlet

    async def subscribe(self) -> None:
        """Lets deliveries in, the first of them before this returns. Raises ``BrokerLostError``: close it then."""
        await self._consumer.subscribe(command_queue(self.partition), PREFETCH)

    @property
    def lost(self) -> asyncio.Event:
        """Set once the channel is gone, or its consumer is."""
        return self._consumer.lost

    @property
    def reason(self) -> str:
        """Why it was lost."""
        return self._consumer.reason

    @property
    def waiting(self) -> int:
        """Deliveries that may be taken now."""
        return 0 if self._stopped else len(self._inbox)

    def take(self, limit: int) -> list[Item]:
        """The next deliveries, in order, at most ``limit``."""
        if not self.waiting:
            return []
        items = [self._inbox.popleft() for _ in range(min(limit, len(self._inbox)))]
        self._taken += len(items)
        self._settled.clear()
        return items

    def frame(self, reply: Reply) -> bytes:
        """A reply as it will leave. Raises ``ValueError`` for what no frame holds."""
        return self._consumer.frame(reply)

    def answer(self, items: list[Item], answers: Iterable[Answer]) -> None:
        """Answers the oldest unanswered deliveries, which must be these, and acknowledges them."""
        pairs = ((answer, item.suspicious) for item, answer in zip(items, answers, strict=True))
        self._outbox.send(items[-1].delivery.tag, pairs)
        self._answered += len(items)
        for item in items:
            if item.app is not None:
                self._let_go(item.app.id, 1)
        if self._answered == self._taken:
            self._settled.set()

    def stop(self) -> None:
        """Gives nothing out from now on."""
        self._stopped = True

    async def drained(self) -> None:
        """Returns once all that was taken is answered and acknowledged, or the channel is lost."""
        await self._settled.wait()
        await self._outbox.drained()

    async def close(self) -> None:
        """Closes the channel; what was not acknowledged goes back to the queue, in order."""
        self.stop()
        self._outbox.close()
        self._settled.set()
        for app_id, commands in list(self._of_apps.items()):
            self._let_go(app_id, commands)
        await self._consumer.close()

    def _on_delivery(self, delivery: Delivery) -> None:
        crash("after_deliver")
        if delivery.envelope.redelivered:
            self._desk.meters.redelivered.inc()
        desk = self._desk
        item = desk.read(delivery, self.partition, desk.logins, desk.reply_nodes(), desk.apps())
        crash("after_decode")
        self._inbox.append(self._taken_on(item))
        self._desk.arrived(self)

    def _taken_on(self, item: Item) -> Item:
        """The item as it is; or, where its app has sent too much, to be refused for that unless it has an answer.

        What is refused without the ledger counts too, and keeps its own refusal: it is about a mistake of the sender's.
        """
        app, request = item.app, item.request
        if app is None:
            return item
        excess = self._desk.admit(app)
        if excess is None:
            self._of_apps[app.id] += 1
            return item
        self._desk.meters.excess.labels(app.id, excess.limit).inc()
        self._desk.refused(item.delivery.envelope.login, app, self.partition)
        if request is not None:
            request = msgspec.structs.replace(request, excess=excess.error())
        return msgspec.structs.replace(item, request=request, app=None, beyond_limits=True)

    def _let_go(self, app_id: str, commands: int) -> None:
        self._of_apps[app_id] -= commands
        self._desk.let_go(app_id, commands)
