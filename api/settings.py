"""The front's settings, from the environment; a wrong one is named before anything starts."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from api.database import STATEMENTS_KEPT
from api.redis_line import WAIT_MS
from api.setting_fields import AmqpUrl, Duration, Origins, Port, PostgresUrl, PublicUrl, RedisUrl
from api.settings_abuse import AbuseSettings
from api.settings_payments import PaymentsSettings
from api.settings_sign_in import SignInSettings
from contracts.logs import Format, Level
from contracts.settings_file import FileSettings

_CRASH_SETTINGS: Final = "MANA_CRASH_"


def _refuse_crash_settings(values: Any) -> Any:
    names = sorted(name for name in os.environ if name.upper().startswith(_CRASH_SETTINGS))
    if names:
        raise ValueError(f"{names[0]} is set in a production process, which has no crash points")
    return values


class Settings(FileSettings, SignInSettings, AbuseSettings, PaymentsSettings):
    """What the HTTP front needs to know; times are durations such as ``15m``, credits are whole numbers."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, validate_default=False)

    database_url: PostgresUrl
    database_direct_url: PostgresUrl | None = None
    database_pool_size: int = Field(default=8, ge=1, le=200)
    database_statement_cache: int = Field(default=STATEMENTS_KEPT, ge=0, le=10_000)
    amqp_url: AmqpUrl
    redis_url: RedisUrl | None = None
    redis_host: str = "127.0.0.1"
    redis_port: Port = 6379
    redis_password: str | None = None
    redis_wait_ms: int = Field(default=WAIT_MS, ge=5, le=5_000)

    mana_environment: Literal["production", "development"] = "production"
    mana_bind_host: str = "127.0.0.1"
    port: Port = 3001
    stop_linger_seconds: int = Field(default=0, ge=0, le=30)
    public_url: PublicUrl = "http://127.0.0.1:3001"
    site_name: str = Field(default="Mana", min_length=1, max_length=100)
    cors_origins: Origins = ()

    credits_signup_bonus: int = Field(default=150, ge=0, le=1_000_000_000)
    credits_signup_bonus_at: Literal["registration", "verified_email"] = "registration"
    credits_daily_free: int = Field(default=5, ge=0, le=1_000_000_000)
    log_level: Level = "INFO"
    log_format: Format = "auto"

    _no_crash_settings = model_validator(mode="before")(_refuse_crash_settings)

    @model_validator(mode="after")
    def _together(self) -> Settings:
        if self.jwt_public_key is not None and self.jwt_private_key is None:
            raise ValueError("JWT_PUBLIC_KEY needs JWT_PRIVATE_KEY beside it")
        if self.jwt_access_token_expiry > timedelta(hours=24):
            raise ValueError(
                "JWT_ACCESS_TOKEN_EXPIRY is longer than a day; revoked tokens would be remembered that long"
            )
        if self.jwt_refresh_token_expiry > self.session_expiry:
            raise ValueError("JWT_REFRESH_TOKEN_EXPIRY is longer than SESSION_EXPIRY: no token outlives its session")
        return self

    @property
    def announcing_database_url(self) -> str:
        """Where announcements are heard: past a pooler of transactions, which hears none."""
        return self.database_direct_url or self.database_url

    @property
    def redis_patience(self) -> float:
        """``REDIS_WAIT_MS``, in seconds."""
        return self.redis_wait_ms / 1_000

    @property
    def redis_address(self) -> str:
        """``REDIS_URL``, or the same put together from its parts."""
        if self.redis_url is not None:
            return self.redis_url
        password = f":{quote(self.redis_password, safe='')}@" if self.redis_password else ""
        return f"redis://{password}{self.redis_host}:{self.redis_port}/0"


class RelaySettings(FileSettings):
    """What the relay needs to know; ``METRICS_PORT`` is where its health and metrics are."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, validate_default=False)

    database_url: PostgresUrl
    amqp_url: AmqpUrl
    mana_bind_host: str = "127.0.0.1"
    metrics_port: Port = 3002
    log_level: Level = "INFO"
    log_format: Format = "auto"
    security_events_expiry: Annotated[Duration, Field(ge=timedelta(days=90))] = timedelta(days=400)
    ended_sessions_expiry: Annotated[Duration, Field(ge=timedelta(hours=26))] = timedelta(hours=26)

    _no_crash_settings = model_validator(mode="before")(_refuse_crash_settings)


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
