"""A run: Stripe's events first, then its payments, then those that we alone know; what never arrived is fed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from contracts.stripe import API_VERSION
from workers.payments.reading import incoming
from workers.payments.reconciling.comparing import compare
from workers.payments.reconciling.feeding import Fed, Feed
from workers.payments.reconciling.looking import Found, Looking
from workers.payments.reconciling.model import Difference, Here, Mend, There
from workers.payments.reconciling.report import Report
from workers.payments.reconciling.store import ReconcilingStore

ON_THE_WAY: Final = timedelta(minutes=2)
"""So long Stripe and the queue may take. What is younger is fed all the same, which does no harm."""
_LOOK_SECONDS: Final = 0.2
_LOOK_AT: Final = 500


class Run:
    """One run. Without a ``feed`` nothing is fed. ``wait``: how long for what was fed to be done, each time."""

    def __init__(
        self, looking: Looking, store: ReconcilingStore, feed: Feed | None, *, live: bool, wait: timedelta
    ) -> None:
        self._looking = looking
        self._store = store
        self._feed = feed
        self._live = live
        self._wait = wait
        self._settled = 0
        self._seen: set[str] = set()

    async def run(self, report: Report) -> None:
        """Fills the report. Raises a ``Fault``, ``FeedError``, ``StripeAwayError``, ``DeniedError``."""
        self._settled = int((datetime.now(UTC) - ON_THE_WAY).timestamp())
        since = int(report.since.timestamp())
        await self._await_done(await self._events(since, report), report)
        await self._await_done(await self._payments(since, report), report)

    async def _events(self, since: int, report: Report) -> list[str]:
        fed: list[str] = []
        async for page in self._looking.events(since):
            report.events += len(page)
            events = {event.id: event for event in (incoming(bytes(body)) for body in page)}
            unknown = [events[name] for name in sorted(await self._store.find_unknown(events))]
            for event in unknown:
                created = 0 if event.created_at is None else event.created_at.timestamp()
                (report.on_their_way if created > self._settled else report.missing)[event.type] += 1
            fed += await self._put([Fed(event.id, event.body) for event in unknown], report)
        return fed

    async def _payments(self, since: int, report: Report) -> list[str]:
        fed: list[str] = []
        given_back = await self._looking.given_back({"created": {"gte": since}})
        async for page in self._looking.payments(since, given_back):
            fed += await self._compared({one.there.id: one for one in page}, report)
        older = sorted({*given_back.refunds, *given_back.disputes} - self._seen)
        fed += await self._compared({name: await self._looking.payment(name, given_back) for name in older}, report)
        async for payments in self._known_here(report.since):
            unseen = [name for name in payments if name not in self._seen]
            fed += await self._compared({name: await self._looking.payment(name) for name in unseen}, report)
        return fed

    async def _known_here(self, since: datetime) -> AsyncIterator[list[str]]:
        """The payments that Stripe must know, and those whose end we may have missed."""
        async for payments in self._store.list_completed(since):
            yield payments
        async for payments in self._store.list_unsettled():
            yield payments

    async def _compared(self, payments: Mapping[str, Found | None], report: Report) -> list[str]:
        """Compares these, and feeds what would mend them. What nothing would mend is looked at once more, here first:
        between the looks Stripe may have told us more than it had said."""
        if not payments:
            return []
        self._seen.update(payments)
        found = dict(payments)
        here = await self._here(found)
        report.payments += sum(one in here or (it is not None and it.there.claims) for one, it in found.items())
        differences = self._differences(found, here)
        doubtful = sorted({one.payment for one in differences if one.mend is None})
        if doubtful:
            here = await self._here({name: found[name] for name in doubtful})
            again = {name: await self._looking.payment(name) for name in doubtful}
            found |= again
            differences = [one for one in differences if one.payment not in again]
            differences += self._differences(again, here)
        return await self._mend(differences, found, report)

    async def _here(self, payments: Mapping[str, Found | None]) -> dict[str, Here]:
        """Our purchases, by the payments at Stripe that are theirs."""
        there = [one.there for one in payments.values() if one is not None]
        names = [one.named for one in there if one.named is not None]
        purchases = await self._store.find_purchases(sorted(payments), names)
        by_payment = {one.payment: one for one in purchases if one.payment is not None}
        by_name = {(one.account_id, one.id): one for one in purchases}
        found = {name: by_payment.get(name) or _named(one, by_name) for name, one in payments.items()}
        return {name: purchase for name, purchase in found.items() if purchase is not None}

    def _differences(self, payments: Mapping[str, Found | None], here: Mapping[str, Here]) -> list[Difference]:
        return [
            difference
            for name, one in payments.items()
            for difference in compare(name, None if one is None else one.there, here.get(name), self._settled)
        ]

    async def _mend(
        self, differences: Sequence[Difference], found: Mapping[str, Found | None], report: Report
    ) -> list[str]:
        """Feeds what was not fed before; what was, and did not mend it, never will."""
        mends = [one.mend.event_id for one in differences if one.mend is not None]
        before = {standing.id: standing for standing in await self._store.look(mends)} if mends else {}
        events: list[Fed] = []
        for one in differences:
            mend, standing = one.mend, None if one.mend is None else before.get(one.mend.event_id)
            if standing is not None and (standing.done or standing.reason is not None):
                report.differences.append(replace(one, mend=None, what=f"{one.what}; {standing.id} did not mend it"))
                continue
            report.differences.append(one)
            if mend is not None and standing is None:
                events.append(self._made(mend, found[one.payment]))
        return await self._put(events, report)

    def _made(self, mend: Mend, found: Found | None) -> Fed:
        """An event with the object as Stripe has it now."""
        if found is None:
            raise AssertionError("a payment that Stripe does not know is mended by nothing")
        body = {
            "id": mend.event_id,
            "object": "event",
            "api_version": API_VERSION,
            "created": int(datetime.now(UTC).timestamp()),
            "data": {"object": Raw(found.bodies[mend.id])},
            "livemode": self._live,
            "type": mend.event_type,
        }
        return Fed(mend.event_id, msgspec.json.encode(body))

    async def _put(self, events: Sequence[Fed], report: Report) -> list[str]:
        if self._feed is None or not events:
            return []
        await self._feed.put(events)
        report.fed += len(events)
        return [event.id for event in events]

    async def _await_done(self, fed: Iterable[str], report: Report) -> None:
        """Until each is done, or somebody has to look, or the time is over."""
        left = dict.fromkeys(fed)
        deadline = asyncio.get_running_loop().time() + self._wait.total_seconds()
        while left:
            for standing in await self._store.look(list(left)[:_LOOK_AT]):
                if standing.done or standing.reason is not None:
                    del left[standing.id]
                if standing.reason is not None and standing.outcome in (None, "refused"):
                    report.alarmed[standing.id] = standing.reason
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_LOOK_SECONDS if left else 0)
        report.unfinished += len(left)


def _named(found: Found | None, by_name: Mapping[tuple[str, str], Here]) -> Here | None:
    there: There | None = None if found is None else found.there
    return None if there is None or there.named is None else by_name.get((there.named.user_id, there.named.purchase_id))
