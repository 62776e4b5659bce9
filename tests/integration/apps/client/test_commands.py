"""Goal: each call does what its command does, and every refusal of the contract is an error of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from mana_client import (
    AccountFrozen,
    AppMismatch,
    DeadlineExceeded,
    Forbidden,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidRequest,
    LoginRefused,
    Mana,
    NoAnswer,
    NotAllowed,
    NotConnected,
    Refused,
    UnknownUser,
)

from contracts.apps import app_login
from ops import urls
from ops.instance import Instance
from tests.e2e.client import Client
from tests.integration.apps.client.logins import CHAT, NOTHING, login
from tests.integration.workers.running import until

EARLIER = datetime.now(UTC) - timedelta(minutes=1)


@pytest.fixture(scope="module")
async def chat(servers: Instance) -> AsyncGenerator[Mana]:
    """The client of the app ``chat``."""
    async with login(servers, CHAT) as url, Mana(url) as client:
        yield client


async def test_a_use_as_the_ledger_keeps_it(mana: Mana, user: str) -> None:
    result = await mana.use(user, 3, description="GPT answer", metadata={"model": "ü", "n": [1, None]}, key="chat:81")
    transaction = result.transaction
    assert (transaction.type, transaction.amount, transaction.sequence) == ("usage", -3, 2)
    assert (transaction.balance_before, transaction.balance_after) == (150, 147)
    assert (transaction.app_id, transaction.description) == ("chat", "GPT answer")
    assert (transaction.metadata, transaction.idempotency_key) == ({"model": "ü", "n": [1, None]}, "chat:81")
    assert abs(datetime.now(UTC) - transaction.created_at) < timedelta(minutes=5)
    assert (result.balance.free_credits_remaining, result.balance.total_spent, result.replayed) == (147, 3, False)
    assert await mana.balance(user) == result.balance


async def test_a_key_of_the_callers_own_is_done_once(mana: Mana, user: str) -> None:
    first = await mana.use(user, 3, description="d", key="chat:82")
    again = await mana.use(user, 3, description="d", key="chat:82")
    assert (again.transaction, again.replayed) == (first.transaction, True)
    assert (await mana.balance(user)).available == 147


async def test_calls_without_a_key_are_different_ones(mana: Mana, user: str) -> None:
    first, second = [await mana.use(user, 3, description="d") for _ in range(2)]
    assert first.transaction.idempotency_key != second.transaction.idempotency_key
    assert (await mana.balance(user)).available == 144


async def test_refunds(mana: Mana, user: str) -> None:
    usage = (await mana.use(user, 10, description="d")).transaction
    part = await mana.refund(user, usage.id, amount=4, description="too slow")
    assert (part.transaction.type, part.transaction.amount, part.transaction.refers_to) == ("refund", 4, usage.id)
    rest = await mana.refund(user, usage.id)
    assert (rest.transaction.amount, rest.balance.available) == (6, 150)
    with pytest.raises(InvalidRequest):
        await mana.refund(user, usage.id)


async def test_grants_and_corrections(mana: Mana, user: str) -> None:
    granted = await mana.grant(
        user, 20, description="welcome back", source="promotion", expires_at=datetime.now(UTC) + timedelta(days=1)
    )
    assert (granted.transaction.type, granted.balance.available) == ("bonus", 170)
    lowered = await mana.adjust(user, -170, description="a mistake", reason="ticket 7")
    assert (lowered.transaction.type, lowered.transaction.amount, lowered.balance.available) == ("adjustment", -170, 0)
    assert (await mana.adjust(user, 5, description="a mistake", reason="ticket 7")).balance.available == 5


async def test_many_at_once_each_get_their_own_answer(mana: Mana, administrator: Client) -> None:
    users = [await administrator.open_user() for _ in range(4)]
    calls = [mana.use(users[number % 4], 1 + number % 3, description=str(number)) for number in range(100)]
    for number, result in enumerate(await asyncio.gather(*calls)):
        assert (result.transaction.user_id, result.transaction.description) == (users[number % 4], str(number))
        assert result.transaction.amount == -(1 + number % 3)


async def test_a_refusal_carries_the_ledgers_figures(mana: Mana, user: str) -> None:
    with pytest.raises(InsufficientCredits) as caught:
        await mana.use(user, 151, description="d")
    assert (caught.value.available, caught.value.required) == (150, 151)
    assert (caught.value.code, caught.value.message) == ("insufficient_credits", str(caught.value))
    assert caught.value.details == {"available": 150, "required": 151}


async def _conflict(mana: Mana, user: str) -> None:
    await mana.use(user, 1, description="d", key="same")
    await mana.use(user, 2, description="d", key="same")


_REFUSED: dict[type[Refused], Callable[[Mana, str], Awaitable[object]]] = {
    UnknownUser: lambda mana, _: mana.use(uuid.uuid4(), 1, description="d"),
    IdempotencyConflict: _conflict,
    DeadlineExceeded: lambda mana, user: mana.use(user, 1, description="d", deadline=EARLIER),
    AppMismatch: lambda mana, user: mana.use(user, 1, description="d", app="notes"),
    Forbidden: lambda mana, user: mana.grant(user, 1, description="d"),
    InvalidRequest: lambda mana, user: mana.refund(user, uuid.uuid4()),
}


@pytest.mark.parametrize("error", _REFUSED, ids=lambda error: error.code)
async def test_each_refusal_is_an_error_of_its_own(chat: Mana, user: str, error: type[Refused]) -> None:
    with pytest.raises(error) as caught:
        await _REFUSED[error](chat, user)
    assert type(caught.value) is error
    assert caught.value.code == error.code


async def test_what_is_forbidden_names_the_permission(chat: Mana, user: str) -> None:
    with pytest.raises(Forbidden) as caught:
        await chat.adjust(user, 1, description="d", reason="r")
    assert caught.value.permission == "credits:adjust"


async def test_a_frozen_account(chat: Mana, administrator: Client, user: str) -> None:
    assert (await administrator.call("account.freeze", user, reason="r", idempotencyKey="freeze"))["ok"]
    with pytest.raises(AccountFrozen):
        await chat.use(user, 1, description="d")


async def test_the_app_is_the_logins(chat: Mana, user: str) -> None:
    assert (await chat.use(user, 1, description="d")).transaction.app_id == "chat"


async def test_logins_that_are_refused(servers: Instance, user: str) -> None:
    wrong = urls.with_login(servers.addresses.amqp, servers.addresses.administrator, "wrong")
    with pytest.raises(LoginRefused):
        await Mana(wrong).__aenter__()


async def test_a_login_that_may_not_send_commands(servers: Instance, user: str) -> None:
    async with login(servers, "nobody", rights=NOTHING) as url, Mana(url) as client:
        with pytest.raises(NotAllowed) as caught:
            await client.use(user, 1, description="d")
    assert (caught.value.what, caught.value.permission) == ("exchange 'credits.commands'", None)


async def test_a_secret_that_was_revoked_and_replaced(servers: Instance, user: str) -> None:
    """Calls are told so at once; and the next secret is used where the address is asked for."""
    address = ""
    async with AsyncExitStack() as stack:

        async def is_refused() -> bool:
            try:
                await client.balance(user)
            except NoAnswer:  # it was under way
                return False
            except LoginRefused:
                return True
            return False

        async def is_let_in() -> bool:
            return not await is_refused()

        async with login(servers, CHAT) as address:
            client = await stack.enter_async_context(Mana(lambda: address))
            assert await is_let_in()
        await until(is_refused, "the secret is revoked")
        async with login(servers, app_login("chat", "m0n1o2p3q4r5")) as address:
            await until(is_let_in, "the new secret is used")
            assert (await client.use(user, 1, description="d")).transaction.app_id == "chat"


async def test_not_before_it_is_opened_nor_after_it_is_closed(servers: Instance, user: str) -> None:
    client = Mana(servers.addresses.amqp)
    with pytest.raises(NotConnected):
        await client.balance(user)
    async with client:
        assert (await client.balance(user)).available == 150
    with pytest.raises(NotConnected):
        await client.balance(user)
