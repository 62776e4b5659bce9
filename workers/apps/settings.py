"""The settings of the keeper of apps' logins."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from workers.process_settings import ProcessSettings


def _management_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("is no address such as http://rabbitmq:15672")
    return value.rstrip("/")


class AppsSettings(ProcessSettings):
    """Where the broker is managed. Login, password and virtual host are those of ``AMQP_URL``: an administrator's."""

    mana_process_name: str = Field(default="apps", min_length=1, max_length=100)
    rabbitmq_management_url: Annotated[str, AfterValidator(_management_url)]
