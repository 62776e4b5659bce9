"""The routes of credits. What needs no parsing is passed on as it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from api.auth.guard import SignedIn
from api.credits.documented import USE_HEADERS, body_of_use, result, results_of_use
from api.credits.operations import Operations
from api.credits.queries import TransactionsQuery
from api.credits.spending import Spending, wait_seconds
from api.credits.store import CreditsStore
from api.credits.use_request import read_use
from api.credits.views import BalanceView, Completed, Package, Purchase, RefusedOperation
from api.errors import refuse
from api.paths import BASE
from api.problems_documented import answers
from api.text import PlainText
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
)
"""Not those for logins and deadlines: the front's login may use credits under any app, and it sets no deadline."""

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
            openapi_extra={"requestBody": body_of_use(), "parameters": USE_HEADERS},
        )

        def read(path: str, handler: Any, shape: Any, *codes: ErrorCode) -> None:
            responses = result(shape) | answers("unauthorized", *codes)
            router.add_api_route(path, handler, methods=["GET"], responses=responses)

        read("/balance", self.get_balance, BalanceView, "unknown_user")
        read("/operations/{key:path}", self.get_operation, Completed | RefusedOperation, "not_found", "invalid_request")
        read("/transactions", self.list_transactions, list[Transaction], "invalid_request")
        read("/transactions/{transactionId}", self.get_transaction, Transaction, "not_found", "invalid_request")
        read("/lots", self.list_lots, list[Lot])
        read("/purchases", self.list_purchases, list[Purchase])
        read("/packages", self.list_packages, list[Package])
        return router

    async def use_credits(self, claims: SignedIn, request: Request) -> Response:
        """Takes credits for one use of an app; 202 says where to look when the answer did not come in time."""
        headers = [value for name, value in request.headers.raw if name == b"idempotency-key"]
        command, key = read_use(claims.sub, await request.body(), headers)
        wait = wait_seconds(", ".join(request.headers.getlist("prefer")))
        return await self.spending.use(claims.user_id, claims.session_id, command, key, wait)

    async def get_balance(self, claims: SignedIn) -> Response:
        """The balance as the next command would find it: today's credits in, what has expired out."""
        balance = await self.store.balance(claims.user_id)
        if balance is None:
            raise refuse("unknown_user", "the account is not open yet")
        return _json(balance)

    async def get_operation(self, claims: SignedIn, key: Key) -> Response:
        """What became of the command with this idempotency key."""
        operation = await self.operations.find(claims.user_id, key)
        if operation is None:
            raise refuse("not_found", "nothing is known of this key (yet)")
        return _json(operation)

    async def list_transactions(
        self, claims: SignedIn, request: Request, query: Annotated[TransactionsQuery, Query()]
    ) -> Response:
        """Transactions, the newest first; `Link: rel="next"` leads to the next page."""
        found = await self.store.transactions(claims.user_id, query.selection())
        page = found[: query.limit]
        response = _json(page)
        if len(found) > query.limit:
            response.headers["link"] = f'<{query.next_page(request.url.path, page[-1].sequence)}>; rel="next"'
        return response

    async def get_transaction(self, claims: SignedIn, transaction_id: TransactionId) -> Response:
        """One transaction."""
        transaction = await self.store.transaction(claims.user_id, transaction_id)
        if transaction is None:
            raise refuse("not_found", "you have no such transaction")
        return _json(transaction)

    async def list_lots(self, claims: SignedIn) -> Response:
        """What is left of the credits, in the order in which it will be used."""
        return _json(await self.store.lots(claims.user_id))

    async def list_purchases(self, claims: SignedIn) -> Response:
        """Purchases, the newest first."""
        return _json(await self.store.purchases(claims.user_id))

    async def list_packages(self, claims: SignedIn) -> Response:
        """What can be bought."""
        return _json(await self.store.packages())


def _json(value: Any) -> Response:
    return Response(_ENCODER.encode(value), media_type=_JSON, headers={"cache-control": "no-store"})
