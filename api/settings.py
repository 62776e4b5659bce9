"""The front's settings, from the environment; a wrong one is named before anything starts."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_DURATION: Final = re.compile(r"\s*(?P<count>[0-9]{1,9})\s*(?P<unit>[smhd]?)\s*")
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION_MAX: Final = timedelta(days=3_650)


def duration(value: object) -> timedelta:
    """Reads ``15m``, ``7d``, ``60 s`` or a number of seconds. Raises ``ValueError`` for anything else, and for zero."""
    match = _DURATION.fullmatch(str(value))
    if match is None or int(match["count"]) == 0:
        raise ValueError("is no duration such as 15m, 7d or 60s")
    read = timedelta(seconds=int(match["count"]) * _SECONDS[match["unit"]])
    if read > _DURATION_MAX:
        raise ValueError("is a duration of more than ten years")
    return read


def _origins(value: object) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in str(value).split(",") if part.strip())
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path or parts.query:
            raise ValueError(f"holds {origin!r}, which is no origin such as https://app.example.com")
    return origins


def _secret_key(value: object) -> bytes:
    try:
        key = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("is not base64") from error
    if len(key) != 32:
        raise ValueError(f"holds {len(key)} bytes, 32 are needed")
    if len(set(key)) < 8:
        raise ValueError("is a placeholder, not 32 random bytes")
    return key


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        try:
            parts = urlsplit(value)
            missing = not parts.hostname and not parts.query
            _ = parts.port
        except ValueError as error:
            raise ValueError("is not a URL") from error
        if parts.scheme not in schemes or missing:
            raise ValueError(f"is not a URL that begins with {schemes[0]}://")
        return value

    return AfterValidator(check)


def _pem(value: object) -> str:
    """PEM text; ``\\n`` written out is read as a line's end, since many environments cannot hold several lines."""
    return str(value).replace("\\n", "\n").strip()


Duration = Annotated[timedelta, BeforeValidator(duration)]
Pem = Annotated[str, BeforeValidator(_pem)]
PostgresUrl = Annotated[str, _url("postgresql", "postgres")]
AmqpUrl = Annotated[str, _url("amqp", "amqps")]
RedisUrl = Annotated[str, _url("redis", "rediss")]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """What the HTTP front needs to know; times are durations such as ``15m``, credits are whole numbers."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, validate_default=False)

    database_url: PostgresUrl
    database_pool_size: int = Field(default=8, ge=1, le=200)
    amqp_url: AmqpUrl
    redis_url: RedisUrl | None = None
    redis_host: str = "127.0.0.1"
    redis_port: Port = 6379
    redis_password: str | None = None

    mana_bind_host: str = "127.0.0.1"
    port: Port = 3001
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_origins)] = ()

    mana_secret_key: Annotated[bytes, PlainValidator(_secret_key)]
    jwt_issuer: str = Field(default="mana", min_length=1)
    jwt_audience: str = Field(default="mana", min_length=1)
    jwt_private_key: Pem | None = None
    jwt_public_key: Pem | None = None
    jwt_access_token_expiry: Duration = timedelta(minutes=15)
    jwt_refresh_token_expiry: Duration = timedelta(days=7)
    session_expiry: Duration = timedelta(days=30)

    credits_signup_bonus: int = Field(default=150, ge=0, le=1_000_000_000)
    credits_daily_free: int = Field(default=5, ge=0, le=1_000_000_000)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if self.jwt_public_key is not None and self.jwt_private_key is None:
            raise ValueError("JWT_PUBLIC_KEY needs JWT_PRIVATE_KEY beside it")
        if self.jwt_access_token_expiry > timedelta(hours=24):
            raise ValueError(
                "JWT_ACCESS_TOKEN_EXPIRY is longer than a day; revoked tokens would be remembered that long"
            )
        return self

    @property
    def redis_address(self) -> str:
        """``REDIS_URL``, or the same put together from its parts."""
        if self.redis_url is not None:
            return self.redis_url
        password = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        return f"redis://{password}{self.redis_host}:{self.redis_port}/0"


class RelaySettings(BaseSettings):
    """What the outbox's relay needs to know; ``METRICS_PORT`` is where its health and metrics are."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, validate_default=False)

    database_url: PostgresUrl
    amqp_url: AmqpUrl
    mana_bind_host: str = "127.0.0.1"
    metrics_port: Port = 3002
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


def complaints(error: ValidationError) -> list[str]:
    """One sentence for each wrong setting, by its name in the environment; values are never shown."""
    return [
        _sentence(str(problem["loc"][0]) if problem["loc"] else "", problem["type"], problem["msg"])
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _sentence(field: str, kind: str, message: str) -> str:
    text = message.removeprefix("Value error, ")
    if kind == "missing":
        text = "is not set."
    elif kind != "value_error":
        text = f"is not valid: {text}"
    return f"{field.upper()} {text}".strip().rstrip(".") + "."
