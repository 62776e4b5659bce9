"""What an operator's program is told: by ``./mana``, from the running instance."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict

from api.setting_fields import AmqpUrl, PostgresUrl


class OwnerSettings(BaseSettings):
    """``DATABASE_URL`` is the owner's, which no row-level security binds; ``MANA_AMQP_URL`` the administrator's."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True)

    database_url: PostgresUrl
    mana_amqp_url: AmqpUrl
