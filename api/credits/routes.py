"""The routes of credits. What needs no parsing is passed on as it came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.apps.documented import BESIDE_USERS, KEYS_BESIDE_USERS
from api.apps.services import Service
from api.auth.guard import ActsOnCredits, ReadsCredits, ReadsOperations, ReadsOwnCredits, UsesCredits
from api.credits.callers import NamedUser, account_of, acts_in, may_see
from api.credits.documented import USE_HEADERS, body_of_command, body_of_use, result, results_of_use
from api.credits.operations import Operations
from api.credits.queries import TransactionsQuery
from api.credits.spending import Spending, wait_seconds
from api.credits.store import CreditsStore
from api.credits.usage_query import UsagePeriodError, UsageQuery
from api.credits.use_request import OfCredits, read_of_service, read_use
from api.credits.views import BalanceView, Completed, Package, Purchase, RefusedOperation, UsageView
from api.errors import refuse, refuse_field
from api.paths import BASE
from api.problems_documented import answers
from api.text import PlainText
from contracts.commands import Adjust, Grant, Refund, Use
from contracts.errors import ErrorCode
from contracts.fields import KEY_LENGTH_MAX
from contracts.replies import Lot, Transaction

_JSON: Final = "application/json"
_ENCODER: Final = msgspec.json.Encoder()

_CODES_OF_USE: Final[tuple[ErrorCode, ...]] = (
    "unauthorized",
    "insufficient_credits",
    "account_frozen",
    "unknown_user",
    "idempotency_conflict",
    "payload_too_large",
    "invalid_request",
    "overloaded",
    "forbidden",
    "app_mismatch",
)
"""Not that for deadlines: the front sets none."""

_CODES_OF_ACTS: Final[tuple[ErrorCode, ...]] = tuple(code for code in _CODES_OF_USE if code != "account_frozen")
"""A frozen account's credits are not used: whatever else is done to them is."""

Key = Annotated[PlainText, Path(min_length=1, max_length=KEY_LENGTH_MAX)]
TransactionId = Annotated[UUID, Path(alias="transactionId")]


@dataclass(frozen=True)
class CreditsRoutes:
    """The routes' handlers, over the store and the way to the ledger."""

    store: CreditsStore
    operations: Operations
    spending: Spending

    def router(self) -> APIRouter:
        """The routes below ``/credits``."""
        router = APIRouter(prefix=f"{BASE}/credits", tags=["credits"])
        router.add_api_route(
            "/use",
            self.use_credits,
            methods=["POST"],
            responses=results_of_use() | answers(*_CODES_OF_USE),
            openapi_extra={"requestBody": body_of_use(), "parameters": USE_HEADERS, "security": BESIDE_USERS},
        )

        for kind, act in ((Refund, self.refund_credits), (Grant, self.grant_credits), (Adjust, self.adjust_credits)):
            router.add_api_route(
                f"/{kind.type.partition('.')[2]}",
                act,
                methods=["POST"],
                responses=results_of_use() | answers(*_CODES_OF_ACTS),
                openapi_extra={"requestBody": body_of_command(kind), "parameters": USE_HEADERS},
            )

        def read(path: str, handler: Any, shape: Any, *codes: ErrorCode, services: bool = False) -> None:
            responses = result(shape) | answers("unauthorized", "forbidden", *codes)
            beside = {"security": BESIDE_USERS if services else KEYS_BESIDE_USERS}
            router.add_api_route(path, handler, methods=["GET"], responses=responses, openapi_extra=beside)

        read("/balance", self.get_balance, BalanceView, "unknown_user", "invalid_request", services=True)
        operation = Completed | RefusedOperation
        read("/operations/{key:path}", self.get_operation, operation, "not_found", "invalid_request", services=True)
        read("/transactions", self.list_transactions, list[Transaction], "invalid_request", services=True)
        read("/transactions/{transactionId}", self.get_transaction, Transaction, "not_found", "invalid_request")
        read("/lots", self.list_lots, list[Lot])
        read("/purchases", self.list_purchases, list[Purchase])
        read("/usage", self.get_usage, UsageView, "invalid_request")
        read("/packages", self.list_packages, list[Package])
        return router

    async def use_credits(self, caller: UsesCredits, request: Request) -> Response:
        """Takes credits for one use of an app; 202 says where to look when the answer did not come in time.

        A service names the user by `userId`, and uses credits under its own app alone.
        """
        if isinstance(caller, Service):
            return await self._send(Use, caller, request)
        command, key = read_use(str(caller.user_id), await request.body(), _key_headers(request))
        return await self.spending.send(command, key, _wait(request), acts_in(caller))

    async def refund_credits(self, service: ActsOnCredits, request: Request) -> Response:
        """Gives a usage of the service's own app back, whole or in part."""
        return await self._send(Refund, service, request)

    async def grant_credits(self, service: ActsOnCredits, request: Request) -> Response:
        """Gives a user free credits."""
        return await self._send(Grant, service, request)

    async def adjust_credits(self, service: ActsOnCredits, request: Request) -> Response:
        """Corrects a user's credits, upwards or downwards."""
        return await self._send(Adjust, service, request)

    async def _send(self, kind: OfCredits, service: Service, request: Request) -> Response:
        command, key = read_of_service(kind, service.app, await request.body(), _key_headers(request))
        return await self.spending.send(command, key, _wait(request), None)

    async def get_balance(self, caller: ReadsCredits, user_id: NamedUser = None) -> Response:
        """The balance as the next command would find it: today's credits in, what has expired out."""
        balance = await self.store.balance(account_of(caller, user_id))
        if balance is None:
            raise refuse("unknown_user", "the account is not open yet")
        return _json(balance)

    async def get_operation(self, caller: ReadsOperations, key: Key, user_id: NamedUser = None) -> Response:
        """What became of the command with this idempotency key."""
        operation = await self.operations.find(account_of(caller, user_id), key)
        if operation is None or not may_see(caller, operation):
            raise refuse("not_found", "nothing is known of this key (yet)")
        return _json(operation)

    async def list_transactions(
        self, caller: ReadsCredits, request: Request, query: Annotated[TransactionsQuery, Query()]
    ) -> Response:
        """Transactions, the newest first; `Link: rel="next"` leads to the next page."""
        found = await self.store.transactions(account_of(caller, query.user_id), query.selection())
        page = found[: query.limit]
        response = _json(page)
        if len(found) > query.limit:
            response.headers["link"] = f'<{query.next_page(request.url.path, page[-1].sequence)}>; rel="next"'
        return response

    async def get_transaction(self, user: ReadsOwnCredits, transaction_id: TransactionId) -> Response:
        """One transaction."""
        transaction = await self.store.transaction(user.user_id, transaction_id)
        if transaction is None:
            raise refuse("not_found", "you have no such transaction")
        return _json(transaction)

    async def list_lots(self, user: ReadsOwnCredits) -> Response:
        """What is left of the credits, in the order in which it will be used."""
        return _json(await self.store.lots(user.user_id))

    async def list_purchases(self, user: ReadsOwnCredits) -> Response:
        """Purchases, the newest first."""
        return _json(await self.store.purchases(user.user_id))

    async def get_usage(self, user: ReadsOwnCredits, query: Annotated[UsageQuery, Query()]) -> Response:
        """Usages and refunds in numbers, by day, hour, app or model; at most 400 days, by hour 31."""
        try:
            period = query.period(datetime.now(UTC))
        except UsagePeriodError as error:
            raise refuse_field("from", str(error)) from None
        return _json(await self.store.usage(user.user_id, period, query.group_by, query.app_id))

    async def list_packages(self, _user: ReadsOwnCredits) -> Response:
        """What can be bought."""
        return _json(await self.store.packages())


def _key_headers(request: Request) -> list[bytes]:
    return [value for name, value in request.headers.raw if name == b"idempotency-key"]


def _wait(request: Request) -> float:
    return wait_seconds(", ".join(request.headers.getlist("prefer")))


def _json(value: Any) -> Response:
    return Response(_ENCODER.encode(value), media_type=_JSON, headers={"cache-control": "no-store"})
