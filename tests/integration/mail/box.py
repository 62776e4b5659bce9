"""Everybody's mailbox: a real SMTP server, and the relay and the mail worker that bring it what the front orders.

async with mailbox(servers, logs) as box:
    ...
    mail = await box.until("ada@example.com", "reset_requested")
    mail.link_token
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Final, get_args

from contracts.mails import MailKind
from ops.instance import Instance
from ops.place import CHECKOUT
from tests.integration.api.process import Process, relay
from tests.integration.mail.process import mail_worker
from tests.integration.mail.server import SmtpServer, receiving
from tests.integration.workers.running import Running

_TEMPLATES: Final = CHECKOUT / "workers" / "mail" / "templates"
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Received:
    """A mail as it arrived. ``link`` is the page that it leads to, without the token; both empty without a link."""

    to: str
    kind: MailKind
    language: str
    text: str
    html: str
    link: str
    link_token: str
    message: EmailMessage


@dataclass
class Mailbox:
    """What has arrived. Each mail is found once: the next wait for the same address and kind is for a newer one."""

    server: SmtpServer
    relay: Process
    worker: Running
    _found: set[int] = field(default_factory=set[int])

    async def until(self, to: str, kind: MailKind, within: float = 20.0) -> Received:
        """The oldest mail of this kind to this address that was not found before; waits for it."""
        try:
            async with asyncio.timeout(within):
                while (mail := self._take(to, kind)) is None:
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            there = [(mail["To"], mail["Subject"]) for mail in self.server.received]
            raise AssertionError(f"no {kind} to {to}; there are {there}\n{self.worker.log.read_text()}") from None
        return mail

    def _take(self, to: str, kind: MailKind) -> Received | None:
        for number, message in enumerate(self.server.received):
            if number not in self._found and message["To"] == to and read(message).kind == kind:
                self._found.add(number)
                return read(message)
        return None


@asynccontextmanager
async def mailbox(instance: Instance, folder: Path, **settings: str) -> AsyncGenerator[Mailbox]:
    """Runs until the block ends, with logs in ``folder`` and these settings of the mail worker's."""
    async with (
        receiving() as server,
        relay(instance, folder) as ringing,
        mail_worker(instance, folder, SMTP_URL=server.url, **settings) as worker,
    ):
        yield Mailbox(server, ringing, worker)


def read(message: EmailMessage, site: str = "Mana") -> Received:
    """What a person would take from the mail."""
    text, html = _part(message, "plain"), _part(message, "html")
    words = text.split()
    link = next((word for word in words if "#token=" in word), "")
    page, _, token = link.partition("#token=")
    language, kind = _subjects(site)[str(message["Subject"])]
    return Received(str(message["To"]), kind, language, text, html, page, token, message)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@cache
def _subjects(site: str) -> dict[str, tuple[str, MailKind]]:
    """Each letter's subject is its template's first line."""
    return {
        (_TEMPLATES / language / f"{kind}.txt").read_text().partition("\n")[0].replace("$site", site): (language, kind)
        for language in ("de", "en")
        for kind in get_args(MailKind)
    }
