"""The switches of a stand-in that runs elsewhere, as methods."""

from types import TracebackType
from typing import Self

import httpx

from ops.fakes.stripe.errors import JSON


class Remote:
    """Asks the control API; an answer that is an error is raised, with what it said."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{url}/_test", timeout=60)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def switch(self, **switches: float | bool | None) -> JSON:
        """Sets switches (see ``delivery.Switches`` and ``account.Settings``); answers with how all of them stand."""
        return await self._ask("PATCH", "/switches", switches)

    async def advance(self, seconds: float) -> JSON:
        """Moves the stand-in's time ahead, and lets happen what is due by then."""
        return await self._ask("POST", "/clock", {"advance_seconds": seconds})

    async def pay(self, session: str, number: str = "4242424242424242", **typed: str) -> str | None:
        """Pays a Checkout session like a buyer on the page; answers with why it was declined, or None."""
        wish = typed if "iban" in typed else {"number": number, **typed}
        return (await self._ask("POST", f"/checkout/sessions/{session}/pay", wish))["error"]

    async def settle_intent(self, intent: str, *, succeed: bool) -> JSON:
        """Ends a bank debit that is under way."""
        return await self._ask("POST", f"/payment_intents/{intent}/settle", {"succeed": succeed})

    async def decline(self, method: str, reason: str | None) -> JSON:
        """A payment method is declined from now on, for that reason; for None it is good."""
        return await self._ask("PATCH", f"/payment_methods/{method}", {"decline": reason})

    async def settle_refund(self, refund: str, status: str) -> JSON:
        """What becomes of a refund: ``succeeded``, ``failed`` or ``canceled``."""
        return await self._ask("POST", f"/refunds/{refund}/settle", {"status": status})

    async def dispute(self, intent: str, **wish: str | int | bool) -> JSON:
        """Disputes the payment: ``amount``, ``reason``, ``inquiry``."""
        return await self._ask("POST", "/disputes", {"payment_intent": intent, **wish})

    async def act(self, dispute: str, act: str) -> JSON:
        """What becomes of a dispute: ``escalate``, ``submit``, ``win``, ``lose``, ``reinstate``, ``drop``."""
        return await self._ask("POST", f"/disputes/{dispute}/{act}")

    async def deliveries(self, **wanted: str) -> list[JSON]:
        """All deliveries, or those of an ``event`` or in a ``state``, with what the endpoints answered."""
        return (await self._ask("GET", "/deliveries", params=wanted))["data"]

    async def deliver_now(self) -> JSON:
        """Sends all that waits; once each was tried, the number of deliveries in each state."""
        return await self._ask("POST", "/deliveries/now")

    async def send(self, event: str, times: int = 1) -> JSON:
        """Sends an event again."""
        return await self._ask("POST", f"/events/{event}/send", {"times": times})

    async def forge(self, kind: str, thing: JSON, **fields: str | bool) -> JSON:
        """Sends an event that nothing caused, rightly signed; ``account`` and ``livemode`` as one likes."""
        return await self._ask("POST", "/events", {"type": kind, "object": thing, **fields})

    async def roll(self, endpoint: str, overlap_seconds: int = 86_400) -> str:
        """A new secret of a webhook endpoint; the old one is used too until the overlap is over."""
        wish = {"overlap_seconds": overlap_seconds}
        return (await self._ask("POST", f"/webhook_endpoints/{endpoint}/roll", wish))["secret"]

    async def _ask(self, method: str, path: str, wish: object = None, params: dict[str, str] | None = None) -> JSON:
        answer = await self._http.request(method, path, json=wish, params=params)
        if answer.is_error:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json()
