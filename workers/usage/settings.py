"""The settings of the process that counts uses."""

from __future__ import annotations

from pydantic import Field

from workers.process_settings import ProcessSettings


class UsageSettings(ProcessSettings):
    """Where the servers are; there is nothing to choose."""

    mana_process_name: str = Field(default="usage", min_length=1, max_length=100)
