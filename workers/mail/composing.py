"""A letter as an e-mail (RFC 5322): text and HTML beside each other, marked as sent by a machine (RFC 3834)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from uuid import UUID

from workers.mail.letters import Written


class UnsendableError(Exception):
    """An address, or a subject, that no header may hold."""


@dataclass(frozen=True)
class Sender:
    """``MAIL_FROM``: an address, with a name before it or without."""

    mailbox: str

    @property
    def host(self) -> str:
        """Where the address is."""
        return parseaddr(self.mailbox)[1].rpartition("@")[2]


def compose(written: Written, *, to: str, sender: Sender, mail_id: UUID, sent_at: datetime) -> EmailMessage:
    """The message. Its id is the order's, so that a mail which is sent twice is known as the same one.

    Raises ``UnsendableError``: nothing that a user chose gets into a header as anything but its value.
    """
    message = EmailMessage()
    try:
        message["Subject"] = written.subject
        message["From"] = sender.mailbox
        message["To"] = _address(to)
        message["Date"] = sent_at
        message["Message-ID"] = f"<{mail_id}@{sender.host}>"
        message["Auto-Submitted"] = "auto-generated"
    except (ValueError, IndexError) as error:  # an IndexError is how the library's parser meets some of the malformed
        raise UnsendableError("a header cannot hold the subject or the address") from error
    language = [f"Content-Language: {written.language}"]
    message.set_content(written.text, headers=language)
    message.add_alternative(written.html, subtype="html", headers=language)
    return message


def _address(to: str) -> Address:
    username, _, domain = to.rpartition("@")
    if not username or not domain or not to.isprintable() or any(character in to for character in " ,;<>"):
        raise ValueError("no address")
    return Address(username=username, domain=domain)
