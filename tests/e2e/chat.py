"""The example's chat as a process, and what its page asks it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from ops import ports
from tests.e2e.starter import CHECKOUT
from tests.faults.tools.telling import until
from tests.integration.api.users import SignedIn

_PATIENCE_SECONDS: Final = 30.0


@asynccontextmanager
async def chatting(addresses: Mapping[str, str], folder: Path, **settings: str) -> AsyncGenerator[httpx.AsyncClient]:
    """It runs until the block ends; answers a client of it. ``addresses`` are those of the environment file."""
    port = ports.choose(None, ())
    log = folder / f"chat-{port}.log"
    named = {name: addresses[name] for name in ("MANA_AMQP_URL", "MANA_API_URL")}
    file = {"CHAT_FILE": str(folder / "chat.sqlite3"), "CHAT_PORT": str(port)}
    with log.open("wb") as sink:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "examples/chat/chat.py",
            cwd=CHECKOUT,
            env={"PYTHONPATH": str(CHECKOUT / "clients" / "python"), **file, **named, **settings},
            stdout=sink,
            stderr=sink,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=40, trust_env=False) as http:

            async def answers() -> bool:
                assert child.returncode is None, log.read_text()
                try:
                    return (await http.get("/")).is_success
                except httpx.ConnectError:
                    return False

            await until(answers, "the chat runs", _PATIENCE_SECONDS, log)
            yield http
        child.terminate()
        await asyncio.wait_for(child.wait(), _PATIENCE_SECONDS)
        assert "Exception in ASGI application" not in log.read_text(), log.read_text()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def sent(chat: httpx.AsyncClient, user: SignedIn, id_: str, text: str) -> tuple[int, dict[str, Any]]:
    """A message of the page's: the answer's status and body."""
    answer = await chat.post("/messages", json={"id": id_, "text": text}, headers=user.headers)
    return answer.status_code, answer.json()
