"""The worker ends or dies, the mail server is away: each mail is sent all the same, and nobody needs to help."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from ops.instance import Instance
from tests.integration.api.process import relay
from tests.integration.mail.box import read
from tests.integration.mail.orders import let_be_due, order, until_postponed
from tests.integration.mail.process import mail_worker
from tests.integration.mail.server import OK, accept, receiving
from tests.integration.workers.running import until


@pytest.mark.checklist(65)
async def test_a_worker_that_dies_after_the_mail_was_taken(
    servers: Instance, logs: Path, owner: asyncpg.Connection
) -> None:
    """The mail comes twice, as one: under the same message id. Only its newer link is good."""
    async with receiving() as server, relay(servers, logs):
        async with mail_worker(servers, logs, SMTP_URL=server.url) as worker:

            async def take_and_kill() -> str:
                worker.signal(signal.SIGKILL)
                return OK

            server.on_data = take_and_kill
            mail, email = await order(owner)
            await worker.child.wait()
        assert [str(message["To"]) for message in server.received] == [email]
        claimed = "SELECT claimed_until BETWEEN now() + '90 s' AND now() + '120 s' FROM auth.mails WHERE id = $1"
        assert await owner.fetchval(claimed, mail) is True, "nobody sends it again at once"

        server.on_data = accept
        async with mail_worker(servers, logs, SMTP_URL=server.url):
            await let_be_due(owner, mail)

            async def sent_again() -> bool:
                return len(server.received) == 2

            await until(sent_again, "it is sent again")
    first, second = server.received
    assert first["Message-ID"] == second["Message-ID"] == f"<{mail}@localhost>"
    assert read(first).link_token != read(second).link_token
    user = await owner.fetchval("SELECT id FROM auth.users WHERE email = $1", email)
    assert await owner.fetchval("SELECT count(*) FROM auth.verification_tokens WHERE user_id = $1", user) == 1


async def test_the_mail_server_is_away(servers: Instance, logs: Path, owner: asyncpg.Connection) -> None:
    async with receiving() as gone:
        url = gone.url
    async with relay(servers, logs), mail_worker(servers, logs, SMTP_URL=url) as worker:
        mail, email = await order(owner)
        await until_postponed(owner, mail)

        async def tells_of_it() -> bool:
            health = await worker.health()
            return (health.get("status"), list(health.get("problems", ()))) == ("not ready", ["smtp"])

        await until(tells_of_it, "the worker names the mail server", worker.log)
        assert email not in worker.log.read_text()
    await owner.execute("DELETE FROM auth.mails WHERE id = $1", mail)


async def test_mails_in_hand_are_sent_before_the_worker_ends(
    servers: Instance, logs: Path, owner: asyncpg.Connection
) -> None:
    async with receiving() as server, relay(servers, logs):
        async with mail_worker(servers, logs, SMTP_URL=server.url) as worker:

            async def end_it() -> str:
                worker.signal(signal.SIGTERM)
                await asyncio.sleep(1)
                return OK

            server.on_data = end_it
            mail, email = await order(owner)
            assert await worker.child.wait() == 0
        assert [str(message["To"]) for message in server.received] == [email]
        assert await owner.fetchval("SELECT count(*) FROM auth.mails WHERE id = $1", mail) == 0
