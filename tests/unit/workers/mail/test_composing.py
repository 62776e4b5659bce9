"""E-mails as they leave: their headers are ours, whatever users are called and wherever they want their mail."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workers.mail.examples import MAIL
from workers.mail.composing import Sender, UnsendableError, compose
from workers.mail.letters import Written

WRITTEN = Written("de", "Neues Passwort für Mana", "Grüße\n", "<p>Grüße</p>")
HEADERS = {"subject", "from", "to", "date", "message-id", "auto-submitted", "mime-version", "content-type"}
SENT_AT = datetime(2026, 11, 25, 23, 5, tzinfo=UTC)


def _compose(to: str, written: Written = WRITTEN, sender: str = "Mana <mana@mana.example>") -> EmailMessage:
    return compose(written, to=to, sender=Sender(sender), mail_id=MAIL, sent_at=SENT_AT)


def _on_the_wire(message: EmailMessage) -> EmailMessage:
    received = message_from_bytes(message.as_bytes(policy=SMTP), policy=SMTP)
    assert isinstance(received, EmailMessage)
    return received


def test_what_arrives() -> None:
    received = _on_the_wire(_compose("ada@example.com"))
    assert received["Subject"] == "Neues Passwort für Mana"
    assert received["From"] == "Mana <mana@mana.example>"
    assert received["To"] == "ada@example.com"
    assert received["Message-ID"] == f"<{MAIL}@mana.example>"
    assert received["Auto-Submitted"] == "auto-generated"
    text, page = received.get_body(("plain",)), received.get_body(("html",))
    assert text is not None
    assert page is not None
    assert (text["Content-Language"], page["Content-Language"]) == ("de", "de")
    assert (text.get_content().strip(), page.get_content().strip()) == ("Grüße", "<p>Grüße</p>")


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com\nX: y",
        "ada@example.com, eve@example.com",
        "ada@example.com eve@example.com",
        "<eve@example.com>ada@example.com",
        "Ada <ada@example.com>",
        "ada",
        "@example.com",
        "",
        "ada@",
    ],
)
def test_what_is_no_address_is_not_written_to(to: str) -> None:
    with pytest.raises(UnsendableError):
        _compose(to)


def test_a_subject_of_two_lines_is_not_written() -> None:
    with pytest.raises(UnsendableError):
        _compose("ada@example.com", Written("en", "Hello\r\nBcc: eve@example.com", "x", "x"))


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
def test_nothing_in_an_address_becomes_a_header_or_a_second_recipient(local: str, domain: str) -> None:
    try:
        message = _compose(f"{local}@{domain}")
    except UnsendableError:
        return
    received = message_from_bytes(message.as_bytes(policy=SMTPUTF8), policy=SMTPUTF8)
    assert {name.lower() for name in received} == HEADERS
    assert len(received["To"].addresses) == 1


def test_an_address_in_other_letters() -> None:
    message = _compose("änne@exämple.com")
    received = message_from_bytes(message.as_bytes(policy=SMTPUTF8), policy=SMTPUTF8)
    assert received["To"] == "änne@exämple.com"


def test_a_sender_without_a_name() -> None:
    assert _on_the_wire(_compose("ada@example.com", sender="mana@localhost"))["Message-ID"] == f"<{MAIL}@localhost>"
