"""The launcher's own settings, from the environment. Everything else is handed to the processes, which check it."""

from datetime import timedelta
from email.utils import getaddresses
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.durations import read_duration
from contracts.topology import (
    EVENTS_LOG_BYTES_DEFAULT,
    EVENTS_LOG_BYTES_MIN,
    SUBSCRIBER_QUEUE_BYTES_DEFAULT,
    SUBSCRIBER_QUEUE_LENGTH_DEFAULT,
    Bounds,
)
from ops.errors import LauncherError
from workers.mail.smtp import SmtpServer
from workers.process_settings import SettingsError

_MOST = 2**53
_SMTPS_PORT = 465
_SCHEMES = {
    "database_url": ("postgresql://", "postgres://"),
    "amqp_url": ("amqp://", "amqps://"),
    "redis_url": ("redis://", "rediss://"),
    "rabbitmq_management_url": ("http://", "https://"),
    "alerts_webhook_url": ("http://", "https://"),
}


class Settings(BaseSettings):
    """Which servers to use, where they are given, and whether a given broker is one node; the front's port; what events
    and dead letters may take of the broker's disk; where PostgreSQL archives its WAL; how often our Prometheus asks,
    and who is told of alerts."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    database_url: str | None = None
    amqp_url: str | None = None
    rabbitmq_management_url: str | None = None
    redis_url: str | None = None
    redis_host: str | None = None
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: str | None = None
    mana_single_broker_node: bool = False
    port: int = Field(default=3001, ge=1, le=32767)
    events_log_bytes: int = Field(default=EVENTS_LOG_BYTES_DEFAULT, ge=EVENTS_LOG_BYTES_MIN, le=_MOST)
    events_log_age: Annotated[timedelta, BeforeValidator(read_duration)] | None = None
    monitoring_interval: Annotated[timedelta, BeforeValidator(read_duration)] = Field(
        default=timedelta(seconds=15), validate_default=False
    )
    # Alerts go by the mail server of all mails, and as from them, unless they have their own.
    alerts_smtp_url: str | None = Field(default=None, validation_alias=AliasChoices("alerts_smtp_url", "smtp_url"))
    alerts_email_from: str = Field(
        default="mana@localhost", validation_alias=AliasChoices("alerts_email_from", "mail_from")
    )
    alerts_email_to: str | None = None
    alerts_webhook_url: str | None = None
    backup_wal_dir: Path | Literal["off"] | None = None
    dead_letters_age: Annotated[timedelta, BeforeValidator(read_duration)] | None = None
    subscriber_queue_bytes: int = Field(default=SUBSCRIBER_QUEUE_BYTES_DEFAULT, ge=1_000_000, le=_MOST)
    subscriber_queue_length: int = Field(default=SUBSCRIBER_QUEUE_LENGTH_DEFAULT, ge=1_000, le=_MOST)

    @field_validator(*_SCHEMES)
    @classmethod
    def _known_scheme(cls, value: str | None, info: object) -> str | None:
        name: str = getattr(info, "field_name", "")
        if value is not None and not value.startswith(_SCHEMES[name]):
            raise ValueError(f"must begin with {' or '.join(_SCHEMES[name])}")
        return value

    @field_validator("alerts_email_to")
    @classmethod
    def _reachable(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        wrong = [address for _, address in getaddresses([value]) if not all(address.rpartition("@"))]
        if wrong or not value.isprintable():
            raise ValueError("is no e-mail address, nor several with commas between them")
        url = info.data.get("alerts_smtp_url")
        if url is None:
            raise ValueError("needs a mail server: set SMTP_URL, or ALERTS_SMTP_URL")
        try:
            server = SmtpServer.parse(url, development=False)
        except SettingsError as error:
            raise ValueError(f"cannot be reached: {error}") from error
        if server.encryption == "tls" and server.port != _SMTPS_PORT:
            raise ValueError(f"cannot be reached: Alertmanager speaks smtps:// at port {_SMTPS_PORT} alone")
        return value

    @property
    def bounds(self) -> Bounds:
        """What events may take."""
        return Bounds(
            events_log_bytes=self.events_log_bytes,
            events_log_age=self.events_log_age,
            subscriber_queue_bytes=self.subscriber_queue_bytes,
            subscriber_queue_length=self.subscriber_queue_length,
            dead_letters_age=self.dead_letters_age,
        )

    @property
    def given(self) -> list[str]:
        """Which servers are somebody else's, by their settings' names."""
        named = {"DATABASE_URL": self.database_url, "AMQP_URL": self.amqp_url, "REDIS_URL": self.given_redis}
        return [name for name, value in named.items() if value]

    @property
    def given_redis(self) -> str | None:
        """The address of a given Redis, by REDIS_URL or by its parts; None where ours is to be used."""
        if self.redis_url or not self.redis_host:
            return self.redis_url
        login = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/0"


def read(**told: str) -> Settings:
    """The settings of this environment, `told` going before it. Raises LauncherError with a line for each one that is
    wrong."""
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        raise LauncherError("\n".join(map(_sentence, error.errors(include_url=False, include_input=False)))) from error


def _sentence(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return f"The setting {str(problem['loc'][0]).upper()} is wrong: {message}."
