"""Settings from the environment, each checked at the start."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from typing import Annotated, Any, Final, Literal

from pydantic import Field, IPvAnyAddress, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.fields import AMOUNT_MAX
from contracts.permissions import Logins
from contracts.topology import ADMIN_LOGIN, FRONT_LOGIN, PARTITIONS_DEFAULT, PARTITIONS_MAX, WORKER_LOGIN

_CRASH_SETTINGS: Final = "MANA_CRASH_"
_Logins = Annotated[frozenset[str], NoDecode]


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what is wrong."""


class Settings(BaseSettings):
    """A worker's settings; names are those of the environment, in any case."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, env_ignore_empty=True)

    database_url: str = Field(pattern=r"^postgres(ql)?://")
    amqp_url: str = Field(pattern=r"^amqps?://")
    metrics_port: int = Field(default=9464, ge=1, le=65_535)
    mana_bind_host: IPvAnyAddress = IPv4Address("127.0.0.1")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    mana_process_name: str = Field(default_factory=lambda: f"worker-{os.getpid()}", min_length=1, max_length=100)
    mana_partitions: int = Field(default=PARTITIONS_DEFAULT, ge=1, le=PARTITIONS_MAX)
    mana_single_broker_node: bool = False
    mana_batch_max: int = Field(default=256, ge=1, le=4096)
    credits_signup_bonus: int = Field(default=150, ge=0, le=AMOUNT_MAX)
    credits_daily_free: int = Field(default=5, ge=0, le=AMOUNT_MAX)
    mana_admin_logins: _Logins = frozenset({ADMIN_LOGIN})
    mana_front_logins: _Logins = frozenset({FRONT_LOGIN})
    mana_system_logins: _Logins = frozenset({WORKER_LOGIN})

    @field_validator("mana_admin_logins", "mana_front_logins", "mana_system_logins", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @property
    def logins(self) -> Logins:
        """Who is not an app."""
        return Logins(self.mana_admin_logins, self.mana_front_logins, self.mana_system_logins)


def load() -> Settings:
    """Reads the environment. Raises ``SettingsError``, also for what only the tests' own launcher may be given."""
    if names := sorted(name for name in os.environ if name.upper().startswith(_CRASH_SETTINGS)):
        raise SettingsError(f"{names[0]}: set in a production process, which has no crash points")
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  the environment gives what has no default
    except ValidationError as error:
        wrong = (f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors())
        raise SettingsError("; ".join(wrong)) from None
