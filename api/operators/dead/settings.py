"""What the program for dead letters is told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.setting_fields import AmqpUrl, PostgresUrl
from contracts.permissions import Logins

_Logins = Annotated[frozenset[str], NoDecode]
_USUAL = Logins()


class DeadSettings(BaseSettings):
    """``DATABASE_URL`` is the owner's, ``AMQP_URL`` that of the login for redriving; the others are as workers have."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: PostgresUrl
    amqp_url: AmqpUrl
    mana_admin_logins: _Logins = _USUAL.admin
    mana_front_logins: _Logins = _USUAL.front
    mana_system_logins: _Logins = _USUAL.system
    mana_payments_logins: _Logins = _USUAL.payments

    @field_validator(
        "mana_admin_logins", "mana_front_logins", "mana_system_logins", "mana_payments_logins", mode="before"
    )
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return frozenset(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @property
    def logins(self) -> Logins:
        """Who is not an app."""
        return Logins(
            self.mana_admin_logins, self.mana_front_logins, self.mana_system_logins, self.mana_payments_logins
        )
