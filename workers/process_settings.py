"""What every process of the workers' is told by its environment, and how that is read: checked, at the start."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from typing import Final, TypeVar

from pydantic import Field, IPvAnyAddress, ValidationError
from pydantic_settings import SettingsConfigDict

from contracts.logs import Format, Level
from contracts.settings_file import FileSettings

_CRASH_SETTINGS: Final = "MANA_CRASH_"


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what is wrong."""


class ProcessSettings(FileSettings):
    """Where the servers are, and where health and metrics are; names are those of the environment, in any case."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True, env_ignore_empty=True)

    database_url: str = Field(pattern=r"^postgres(ql)?://")
    amqp_url: str = Field(pattern=r"^amqps?://")
    metrics_port: int = Field(default=9464, ge=1, le=65_535)
    mana_bind_host: IPvAnyAddress = IPv4Address("127.0.0.1")
    log_level: Level = "INFO"
    log_format: Format = "auto"
    mana_process_name: str = Field(default_factory=lambda: f"worker-{os.getpid()}", min_length=1, max_length=100)


Kind = TypeVar("Kind", bound=ProcessSettings)


def read(kind: type[Kind]) -> Kind:
    """Reads the environment. Raises ``SettingsError``, also for what only the tests' own launcher may be given."""
    if names := sorted(name for name in os.environ if name.upper().startswith(_CRASH_SETTINGS)):
        raise SettingsError(f"{names[0]}: set in a production process, which has no crash points")
    try:
        return kind()  # pyright: ignore[reportCallIssue]  the environment gives what has no default
    except ValidationError as error:
        wrong = (f"{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors())
        raise SettingsError("; ".join(wrong)) from None
