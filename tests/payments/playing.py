"""A run: many stories at once, told in shuffled waves while processes die, and what became of all."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg

from tests.faults.oracle.dead import read_dead
from tests.faults.tools.telling import until
from tests.payments.courier import Courier, Nemesis, Told
from tests.payments.expecting import End, Expecting
from tests.payments.judging import judge, not_done
from tests.payments.shop import Sale
from tests.payments.stage import Stage
from tests.payments.stories import Customer, Step, Story, customers
from workers.ledger.audit.looking import audit

WAVES: Final = (1, 2, 3)
_NAMED: Final = 10
_AT_ONCE: Final = 50
"""Stories that a flood is made of at a time, until there are enough events."""

Event = dict[str, Any]


class StoppedError(Exception):
    """The run cannot go on: what was told is not worked off in time, or has not come to what it should."""


@dataclass
class Played:
    """What a run came to."""

    seed: int
    stories: int = 0
    ends: Mapping[str, End] = field(default_factory=dict[str, End])
    events: int = 0
    told: Told = field(default_factory=Told)
    killed: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        """One line of figures, and what is wrong."""
        answers = self.told.answers
        figures = (
            f"seed {self.seed}: {self.stories:,} histories, {self.events:,} events, {self.told.deliveries:,} deliveries"
            f" in {self.told.seconds:.1f} s ({answers[200]:,} times 200, {answers[503]:,} times 503, {answers[0]:,}"
            f" times no answer), killed: {dict(self.killed)}, {self.seconds:.1f} s in all"
        )
        wrong = [*self.complaints[:_NAMED], *([f"… {len(self.complaints)} in all"] if self.complaints else [])]
        return "\n".join([figures, *wrong])


class Play:
    """One run on a stage. ``within``: so many seconds are given to what is not worked off yet."""

    def __init__(self, stage: Stage, seed: int, *, within: float = 120.0, hurried: bool = False) -> None:
        self._stage = stage
        self._seed = seed
        self._chance = random.Random(seed)
        self._within = within
        self._hurried = hurried
        self._courier = Courier(stage.http)
        self._killed_before = stage.killed.copy()
        self._began = time.monotonic()
        self.played = Played(seed)
        """So far."""
        self._users = dict[str, tuple[Customer, Expecting, list[Sale]]]()

    async def histories(self, number: int, nemeses: Mapping[int, Nemesis]) -> Played:
        """Plays so many stories in waves; a nemesis strikes in the waves that it is given for."""
        people = customers(self._chance, number)
        await self.begin(people)
        deliveries: dict[int, list[Event]] = {wave: [] for wave in WAVES}
        try:
            for wave in WAVES:
                await self.happen(wave, people)
                for event, sale in await self.news():
                    for chosen in self._waves(wave, sale):
                        deliveries[chosen].append(event)
                self._chance.shuffle(deliveries[wave])
                await self._tell(deliveries[wave], nemeses.get(wave, ()))
                if wave == 1:
                    await self._use()
        except StoppedError as error:
            self.played.complaints.append(str(error))
        return await self.judged()

    async def flood(self, events: int, deliveries: int, nemesis: Nemesis) -> Played:
        """Tells at least so many events so often, all in one wave; no credits are used."""
        news = list[Event]()
        while len(news) < events:
            people = customers(self._chance, _AT_ONCE, used=False)
            await self.begin(people)
            for wave in WAVES:
                await self.happen(wave, people)
            news += [event for event, _ in await self.news()]
        news += self._chance.choices(news, k=deliveries - len(news))
        self._chance.shuffle(news)
        try:
            await self._tell(news, nemesis)
        except StoppedError as error:
            self.played.complaints.append(str(error))
        return await self.judged()

    async def begin(self, people: Sequence[Customer]) -> None:
        """Their users, and all purchases but the later ones."""
        async with self._stage.client() as client:
            for customer in people:
                user = await client.open_user()
                expecting = Expecting(user, await self._opened_at(user), self._stage.policy)
                sales = [await self._sell(expecting, story) for story in customer.stories]
                self._users[user] = (customer, expecting, sales)

    async def happen(self, wave: int, people: Sequence[Customer]) -> None:
        """What happens before this wave of deliveries, the stories in a random order."""
        acts = list[tuple[Expecting, Sale, list[Step]]]()
        for customer, expecting, sales in self._of(people):
            if wave == WAVES[-1] and customer.later:
                sale = await self._sell(expecting, customer.later)
                sales.append(sale)
                acts.append((expecting, sale, customer.later.steps))
            elif wave < WAVES[-1]:
                acts += [(expecting, sale, _part(sale, wave)) for sale in sales]
        self._chance.shuffle(acts)
        for expecting, sale, steps in acts:
            await self._stage.shop.perform(sale, steps)
            expecting.happen(sale.purchase, sale.story, steps)

    async def news(self) -> list[tuple[Event, Sale | None]]:
        """What Stripe has to tell since this was asked last, and whom it concerns."""
        news = await self._stage.shop.news()
        self.played.events += len(news)
        return news

    async def _opened_at(self, user: str) -> datetime:
        (row,) = await self._stage.seller.owner.fetch(
            "SELECT created_at FROM credits.balances WHERE account_id = $1::text::uuid", user
        )
        return row["created_at"]

    async def _sell(self, expecting: Expecting, story: Story) -> Sale:
        self.played.stories += 1
        sale = await self._stage.shop.begin(story, expecting.user)
        expecting.sell(sale.purchase, story)
        return sale

    def _of(self, people: Sequence[Customer]) -> Iterable[tuple[Customer, Expecting, list[Sale]]]:
        wanted = {id(one) for one in people}
        return [known for known in self._users.values() if id(known[0]) in wanted]

    def _waves(self, born: int, sale: Sale | None) -> list[int]:
        """In which waves an event is told: one to three times, and once at least before the next things happen."""
        customer = self._users[sale.user][0] if sale else None
        waits = born == 1 and (customer is None or customer.used is None)
        once = self._chance.choice(WAVES[:2]) if waits else born
        return [once, *(self._chance.randint(born, WAVES[-1]) for _ in range(self._chance.randint(0, 2)))]

    async def _tell(self, events: Sequence[Event], nemesis: Nemesis) -> None:
        told, so_far = await self._courier.carry(events, nemesis), self.played.told
        so_far.deliveries += told.deliveries
        so_far.answers += told.answers
        so_far.events |= told.events
        so_far.seconds += told.seconds
        await self.worked_off()

    async def worked_off(self) -> None:
        """Returns once all that was told is done. Raises ``StoppedError``.

        Whoever died had taken events for some seconds: those who are hurried let that time pass at once.
        """
        told, left = self.played.told.events, set[str]()
        async with self._owner() as owner:

            async def look() -> bool:
                left.clear()
                left.update(await not_done(owner, told))
                return not left

            if self._hurried:
                await owner.execute("UPDATE credits.stripe_events SET due_at = now() WHERE done_at IS NULL")
            try:
                await until(look, "all that was told is done", self._within)
            except AssertionError:
                complaints = await judge(owner, {}, told)
                raise StoppedError(f"{len(left)} events are not done: {'; '.join(complaints[:_NAMED])}") from None

    async def _use(self) -> None:
        async with self._stage.client() as client:
            for user, (customer, expecting, _) in self._users.items():
                if customer.used is None:
                    continue
                balance = (await client.call("credits.balance", user))["balance"]
                free, paid, bought = (
                    balance["freeCreditsRemaining"],
                    balance["balance"],
                    expecting.end().balance["balance"],
                )
                if paid != bought:
                    raise StoppedError(
                        f"all that was told is done, and {user} has {paid} paid credits, and not {bought}"
                    )
                amount = free + (paid if customer.used < 0 else customer.used)
                reply = await client.use(user, amount)
                assert reply["ok"], reply
                expecting.use(amount, datetime.fromisoformat(reply["transaction"]["createdAt"]))

    async def judged(self) -> Played:
        """What has become of everything; what was not done is not compared."""
        played = self.played
        played.killed = self._stage.killed - self._killed_before
        if not played.complaints:
            played.ends = {user: expecting.end() for user, (_, expecting, _) in self._users.items()}
            await until(self._queues_are_empty, "the queues are empty", self._within)
            async with self._owner() as owner:
                played.complaints += await judge(owner, played.ends, played.told.events)
        played.complaints += await self._looked_at(played.told.events)
        played.seconds = time.monotonic() - self._began
        return played

    @asynccontextmanager
    async def _owner(self) -> AsyncGenerator[asyncpg.Connection]:
        owner = await asyncpg.connect(self._stage.instance.addresses.database_as("mana_owner"))
        try:
            yield owner
        finally:
            await owner.close()

    async def _queues_are_empty(self) -> bool:
        return not any(depth.ready or depth.unacked for depth in (await self._stage.broker.depths()).values())

    async def _looked_at(self, told: Collection[str]) -> list[str]:
        """Dead copies, and what ``./mana verify`` would find."""
        findings = await audit(self._stage.instance.addresses.database_as("mana_owner"))
        broken = [f"{one.invariant.says}: {one.named[:3]}" for one in findings if one.violations]
        dead = await read_dead(self._stage.instance.addresses.amqp)
        return [*broken, *(f"a dead copy: {copy.reason}" for copy in dead), *([] if told else ["nothing was told"])]


def _part(sale: Sale, wave: int) -> list[Step]:
    steps, cut = sale.story.steps, sale.story.cut
    return steps[:cut] if wave == 1 else steps[cut:]
