"""The launcher's own settings, from the environment. Everything else is handed to the processes, which check it."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, Field, ValidationError, field_validator
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

_MOST = 2**53
_SCHEMES = {
    "database_url": ("postgresql://", "postgres://"),
    "amqp_url": ("amqp://", "amqps://"),
    "redis_url": ("redis://", "rediss://"),
    "rabbitmq_management_url": ("http://", "https://"),
}


class Settings(BaseSettings):
    """Which servers to use, where they are given, and whether a given broker is one node; the front's port; what events
    and dead letters may take of the broker's disk; where PostgreSQL archives its WAL; how often our Prometheus asks."""

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


def read() -> Settings:
    """The settings of this environment. Raises LauncherError with a line for each one that is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise LauncherError("\n".join(map(_sentence, error.errors(include_url=False, include_input=False)))) from error


def _sentence(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return f"The setting {str(problem['loc'][0]).upper()} is wrong: {message}."
