"""Mails as files, for development: nobody is sent anything."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path

from workers.mail.transport import TemporaryFailureError


class MailFolder:
    """Writes each mail to ``ID.eml``; for its owner's eyes only, since links in it are as good as passwords."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, message: EmailMessage) -> None:
        """Writes the file, whole or not at all. Raises ``TemporaryFailureError`` where that cannot be done."""
        try:
            await asyncio.to_thread(self._write, message)
        except OSError as error:
            raise TemporaryFailureError(f"the folder of mails cannot be written to: {error.strerror}") from error

    def _write(self, message: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{_name(message)}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(message.as_bytes(policy=SMTPUTF8))
        unfinished.replace(path)


def _name(message: EmailMessage) -> str:
    """The order's id: what stands before the at sign in the message's."""
    return str(message["Message-ID"]).strip("<>").partition("@")[0]
