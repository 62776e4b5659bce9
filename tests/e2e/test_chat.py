"""The example's chat: it charges by length, once for each message, and is of use also to who has no credits left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from contracts.apps import app_login
from ops.instance import Instance
from tests.e2e.browser import browsing
from tests.e2e.chat import chatting, sent
from tests.e2e.checkout import read
from tests.e2e.client import Client
from tests.e2e.starter import CHECKOUT
from tests.faults.tools.proxy import Proxy
from tests.faults.tools.telling import until
from tests.integration.api.users import PASSWORD, SignedIn, sign_up
from tests.integration.apps.client.logins import login

_WITHIN_SECONDS = 20.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all chats of this module keep their answers."""
    return tmp_path_factory.mktemp("chat")


@pytest.fixture(scope="module")
async def chat(instance: Instance, folder: Path) -> AsyncGenerator[httpx.AsyncClient]:
    async with chatting(instance.env, folder) as running:
        yield running


@pytest.fixture(scope="module")
async def front(instance: Instance) -> AsyncGenerator[httpx.AsyncClient]:
    """Mana itself."""
    async with httpx.AsyncClient(base_url=instance.env["MANA_API_URL"], timeout=40, trust_env=False) as http:
        yield http


@pytest.fixture
async def user(front: httpx.AsyncClient) -> SignedIn:
    """With 150 credits."""
    return await sign_up(front)


def new_id() -> str:
    return str(uuid.uuid4())


async def amounts(front: httpx.AsyncClient, user: SignedIn) -> list[int]:
    """Of all transactions but the opening, in their order."""
    return [one["amount"] for one in reversed(await read(front, user, "transactions"))][1:]


async def leave(client: Client, user: SignedIn, left: int) -> None:
    """Takes the rest of what a new account has."""
    change: dict[str, Any] = {"amount": left - 150, "description": "Test", "reason": "test"}
    assert (await client.call("credits.adjust", user.id, idempotencyKey="leave", **change))["ok"]


async def give(client: Client, user: SignedIn, amount: int) -> None:
    grant: dict[str, Any] = {"amount": amount, "description": "Test", "source": "bonus"}
    assert (await client.call("credits.grant", user.id, idempotencyKey="give", **grant))["ok"]


async def test_it_charges_for_each_started_200_characters(
    chat: httpx.AsyncClient, front: httpx.AsyncClient, user: SignedIn
) -> None:
    for length, cost in ((1, 1), (80, 1), (81, 2), (4000, 41)):  # the toy's answer has 40 characters more
        status, told = await sent(chat, user, new_id(), "x" * length)
        assert (status, len(told["answer"]), told["cost"]) == (200, length + 40, cost)
    assert told["available"] == 150 - 45
    used = (await read(front, user, "transactions"))[0]
    assert (used["type"], used["amount"], used["appId"], used["metadata"]) == ("usage", -41, "chat", {"model": "toy"})
    assert await amounts(front, user) == [-1, -1, -2, -41]


async def test_a_message_is_charged_once_and_answered_as_the_first_time(
    chat: httpx.AsyncClient, front: httpx.AsyncClient, user: SignedIn
) -> None:
    id_ = new_id()
    first, second = await asyncio.gather(*(sent(chat, user, id_, "a double click") for _ in range(2)))
    assert first == second
    assert first[0] == 200
    assert await amounts(front, user) == [-1]
    status, other = await sent(chat, user, id_, "another question under the same id")
    assert (status, other["available"]) == (200, 148)
    assert await sent(chat, user, id_, "a double click") == (200, {**first[1], "available": 148})
    assert await amounts(front, user) == [-1, -1]


async def test_no_credits_left(
    chat: httpx.AsyncClient, front: httpx.AsyncClient, client: Client, user: SignedIn
) -> None:
    await leave(client, user, 1)
    id_, text = new_id(), "x" * 100
    status, told = await sent(chat, user, id_, text)
    assert (status, told["code"], told["available"], told["required"]) == (402, "no_credits", 1, 2)
    assert told["words"] == "An answer to this costs 2, and you have 1 credits."
    assert "answer" not in told
    account = (await chat.get("/account", headers=user.headers)).json()
    assert (account["available"], account["daily"]) == (1, 5)
    await give(client, user, 1)
    assert (await sent(chat, user, id_, text))[0] == 200, "the same message, once there is enough"
    assert await amounts(front, user) == [-149, 1, -2]


async def test_what_fails_after_it_was_charged_is_given_back(
    chat: httpx.AsyncClient, front: httpx.AsyncClient, user: SignedIn, instance: Instance, folder: Path
) -> None:
    id_ = new_id()
    for _ in range(2):
        status, told = await sent(chat, user, id_, "no smoke without fire")
        assert (status, told["code"], told["available"]) == (502, "refunded", 150)
    assert await amounts(front, user) == [-1, 1]
    async with chatting(instance.env, folder) as after_a_restart:
        assert (await sent(after_a_restart, user, id_, "no smoke without fire"))[0] == 502
    assert await amounts(front, user) == [-1, 1], "and given back once"


async def test_an_unknown_outcome_is_asked_for_by_the_same_message(
    front: httpx.AsyncClient, user: SignedIn, instance: Instance, folder: Path
) -> None:
    id_ = new_id()
    async with Proxy.before(instance.env["MANA_AMQP_URL"]) as proxy:
        addresses = {**instance.env, "MANA_AMQP_URL": proxy.url(instance.env["MANA_AMQP_URL"])}
        async with chatting(addresses, folder, CHAT_PATIENCE="4") as chat:
            proxy.freeze("down")
            status, told = await sent(chat, user, id_, "charged, and no answer comes")
            assert (status, told["code"]) == (503, "try_again")

            async def is_charged() -> bool:
                return await amounts(front, user) == [-1]

            await until(is_charged, "the ledger has charged it", _WITHIN_SECONDS)
            proxy.thaw()
            answers = list[dict[str, Any]]()

            async def is_answered() -> bool:
                status, told = await sent(chat, user, id_, "charged, and no answer comes")
                answers.append(told)
                return status == 200

            await until(is_answered, "the same message is answered", _WITHIN_SECONDS)
            assert answers[-1]["available"] == 149
            async with proxy.down():
                assert (await sent(chat, user, new_id(), "the broker is away"))[0] == 503
    assert await amounts(front, user) == [-1]


async def test_a_secret_that_is_revoked_and_replaced(
    front: httpx.AsyncClient, user: SignedIn, instance: Instance, folder: Path
) -> None:
    """The user is told that it is closed, the log says why, and it is back without a restart."""
    id_, file = new_id(), folder / "address"

    async def answered(status: int) -> bool:
        return (await sent(chat, user, id_, "hello"))[0] == status

    async with AsyncExitStack() as stack:
        async with login(instance, app_login("chat", "a1b2c3d4e5f6")) as address:
            file.write_text(f"{address}\n")
            chat = await stack.enter_async_context(chatting(instance.env, folder, MANA_AMQP_URL_FILE=str(file)))
            assert await answered(200)
        id_ = new_id()

        async def is_closed() -> bool:
            status, told = await sent(chat, user, id_, "hello")
            return status == 503 and told["code"] == "closed"

        await until(is_closed, "the secret is revoked", _WITHIN_SECONDS)
        (log,) = [
            text for each in folder.glob("chat-*.log") if "does not let this chat in" in (text := each.read_text())
        ]
        assert "was its secret revoked" in log
        async with login(instance, app_login("chat", "g7h8i9j0k1l2")) as address:
            file.write_text(f"{address}\n")
            await until(lambda: answered(200), "the new secret is used", _WITHIN_SECONDS)
    assert await amounts(front, user) == [-1, -1]


async def test_who_is_not_signed_in_gets_nothing(chat: httpx.AsyncClient) -> None:
    message = {"id": new_id(), "text": "hello"}
    for headers in ({}, {"Authorization": "Bearer e30.e30.e30"}):
        assert (await chat.post("/messages", json=message, headers=headers)).status_code == 401
        assert (await chat.get("/account", headers=headers)).status_code == 401
        assert (await chat.post("/orders", json={"package_id": "one"}, headers=headers)).status_code == 401


async def sign_in(page: Page, user: SignedIn, password: str) -> None:
    await page.get_by_label("E-mail").fill(user.email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def test_the_page_in_a_browser(chat: httpx.AsyncClient, client: Client, user: SignedIn) -> None:
    complaints: list[str] = []
    async with browsing() as page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(str(chat.base_url))
        notice, text, send = page.get_by_role("alert"), page.get_by_label("Your message"), page.locator("#send")
        await sign_in(page, user, "not the password")
        await expect(notice).to_have_text("Mana says: the e-mail address or the password is wrong.")
        await sign_in(page, user, PASSWORD)
        await expect(page.locator("#credits")).to_have_text("150")
        await expect(notice).to_be_empty()

        await text.fill("<b>one</b> two three")
        await send.click()
        await expect(page.get_by_role("log")).to_contain_text("Backwards they are: three two <b>one</b>.")
        await expect(page.locator("#credits")).to_have_text("149")
        await expect(text).to_have_value("")

        await leave(client, user, 1)
        await text.fill("is anybody there")
        await send.click()
        await expect(notice).to_have_text("An answer to this costs 1, and you have 0 credits.")
        await expect(text).to_have_value("is anybody there")
        await expect(page.get_by_text("Tomorrow (UTC) brings 5 free credits.")).to_be_visible()
        await expect(page.locator("#credits")).to_have_text("0")

        await give(client, user, 9)
        await send.click()
        await expect(page.get_by_role("log")).to_contain_text("there anybody is.")
        await expect(page.locator("#credits")).to_have_text("8")
        await expect(page.locator("#more")).to_be_hidden()
    assert not complaints


def test_without_addresses_it_says_what_it_needs() -> None:
    done = subprocess.run(
        [sys.executable, "examples/chat/chat.py"],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "clients/python"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: MANA_AMQP_URL=")
