"""The mail worker's settings."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parseaddr
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.durations import read_duration
from workers.process_settings import ProcessSettings

_SPACE_OR_COMMA: Final = re.compile(r"[\s,;]")
_LIFE_MAX: Final = timedelta(days=30)


def _duration(value: object) -> timedelta:
    """Defaults are read too, and are durations already."""
    return value if isinstance(value, timedelta) else read_duration(value)


def _links_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is no address such as https://app.example.com")
    return value.rstrip("/")


def _smtp_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("is no address such as smtps://login:password@mail.example.com")
    return value


def _sender(value: str) -> str:
    """One mailbox, with a name before it or without; a host without dots may do, since mail may stay on its machine."""
    _name, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain and value.isprintable()) or _SPACE_OR_COMMA.search(address):
        raise ValueError("is no e-mail address")
    return value


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("is not one line of text")
    return value


LinksUrl = Annotated[str, AfterValidator(_links_url)]
Life = Annotated[timedelta, BeforeValidator(_duration), Field(ge=timedelta(minutes=1), le=_LIFE_MAX)]


class MailSettings(ProcessSettings):
    """Where mails go, whom they are from, where their links lead and how long those are good."""

    mana_process_name: str = Field(default="mail", min_length=1, max_length=100)
    mana_environment: Literal["production", "development"] = "production"
    public_url: LinksUrl = "http://127.0.0.1:3001"
    mail_links_url: LinksUrl | None = None
    site_name: Annotated[str, AfterValidator(_one_line)] = Field(default="Mana", min_length=1, max_length=100)
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] | None = None
    mail_from: Annotated[str, AfterValidator(_sender)] = "mana@localhost"
    mail_folder: str | None = None
    email_verify_expiry: Life = timedelta(hours=24)
    password_reset_expiry: Life = timedelta(minutes=30)

    @property
    def links_base(self) -> str:
        """Where links lead: ``MAIL_LINKS_URL``, else the front itself. Never what a request said."""
        return self.mail_links_url or self.public_url
