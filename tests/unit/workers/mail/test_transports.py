"""Which way mails go: encrypted, unless somebody gave that up where it does little harm; never nowhere."""

from __future__ import annotations

import stat
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path

import pytest

from workers.mail.folder import MailFolder
from workers.mail.pauses import ATTEMPTS_MAX, pause_after
from workers.mail.settings import MailSettings
from workers.mail.smtp import Smtp, SmtpServer
from workers.mail.transport import TemporaryFailureError
from workers.mail.transports import transport
from workers.process_settings import SettingsError

SERVERS = {
    "smtps://mail.example.com": SmtpServer("mail.example.com", 465, "tls", None, None),
    "smtp://mail.example.com": SmtpServer("mail.example.com", 587, "starttls", None, None),
    "smtp://a%40b:p%2Fw@mail.example.com:2525": SmtpServer("mail.example.com", 2525, "starttls", "a@b", "p/w"),
    "smtp://127.0.0.1": SmtpServer("127.0.0.1", 25, "none", None, None),
    "smtp://[::1]:1025": SmtpServer("::1", 1025, "none", None, None),
    "smtp://localhost?starttls=yes": SmtpServer("localhost", 587, "starttls", None, None),
}


@pytest.mark.parametrize(("url", "server"), SERVERS.items())
def test_servers(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(url, development=False) == server


@pytest.mark.checklist(62)
def test_nothing_is_sent_in_clear_to_another_machine_in_production() -> None:
    url = "smtp://mail.example.com?starttls=no"
    assert SmtpServer.parse(url, development=True).encryption == "none"
    with pytest.raises(SettingsError, match=r"^SMTP_URL: in production"):
        SmtpServer.parse(url, development=False)


@pytest.mark.parametrize("url", ["smtp://h?starttls=maybe", "smtp://h:99999"])
def test_a_wrong_server_is_named(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SMTP_URL: "):
        SmtpServer.parse(url, development=True)


def _settings(**settings: str) -> MailSettings:
    return MailSettings(database_url="postgresql://h/d", amqp_url="amqp://h/", **settings)  # pyright: ignore[reportArgumentType]


@pytest.mark.checklist(62)
def test_mails_never_go_nowhere(tmp_path: Path) -> None:
    assert isinstance(transport(_settings(smtp_url="smtps://mail.example.com")), Smtp)
    assert isinstance(transport(_settings(mana_environment="development", mail_folder=str(tmp_path))), MailFolder)
    with pytest.raises(SettingsError, match=r"^SMTP_URL: "):
        transport(_settings(mail_folder=str(tmp_path)))
    with pytest.raises(SettingsError, match=r"^MAIL_FOLDER: "):
        transport(_settings(mana_environment="development"))


async def test_a_mail_becomes_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Message-ID"] = "<01900000-0000-7000-8000-000000000001@localhost>"
    message["To"] = "änne@example.com"
    message.set_content("Grüße")
    folder = tmp_path / "mail"
    for _ in range(2):
        await MailFolder(folder).send(message)
    (file,) = folder.iterdir()
    assert file.name == "01900000-0000-7000-8000-000000000001.eml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert message_from_bytes(file.read_bytes())["Message-ID"] == message["Message-ID"]


async def test_a_folder_that_cannot_be_written_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file")
    with pytest.raises(TemporaryFailureError, match="folder of mails"):
        await MailFolder(tmp_path / "mail").send(EmailMessage())


def test_pauses_double_up_to_an_hour_and_end() -> None:
    pauses = [pause_after(attempt) for attempt in range(1, ATTEMPTS_MAX + 1)]
    assert pauses[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert pauses[-2:] == [timedelta(hours=1), None]
    assert None not in pauses[:-1]
