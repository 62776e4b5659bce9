"""Which way mails go, as the settings say."""

from __future__ import annotations

from pathlib import Path

from workers.mail.folder import MailFolder
from workers.mail.settings import MailSettings
from workers.mail.smtp import Smtp, SmtpServer
from workers.mail.transport import Transport
from workers.process_settings import SettingsError


def transport(settings: MailSettings) -> Transport:
    """The server that ``SMTP_URL`` names; without one, in development alone, the folder.

    Raises ``SettingsError`` where mails would go nowhere, or not safely.
    """
    development = settings.mana_environment == "development"
    if settings.smtp_url is not None:
        return Smtp(SmtpServer.parse(settings.smtp_url, development=development))
    if not development:
        raise SettingsError("SMTP_URL: is not set, and in production mails must be sent")
    if settings.mail_folder is None:
        raise SettingsError("MAIL_FOLDER: neither it nor SMTP_URL is set: mails would go nowhere")
    return MailFolder(Path(settings.mail_folder))
