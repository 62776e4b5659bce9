"""A ledger worker's settings, and the clock's."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import NoDecode

from contracts.durations import read_duration
from contracts.fields import AMOUNT_MAX
from contracts.permissions import Logins
from contracts.topology import (
    ADMIN_LOGIN,
    FRONT_LOGIN,
    PARTITIONS_DEFAULT,
    PARTITIONS_MAX,
    PAYMENTS_LOGIN,
    RELAY_LOGIN,
    WORKER_LOGIN,
)
from workers.ledger.purchases import RefundPolicy
from workers.ledger.store.pruning import REFUSALS_KEPT
from workers.process_settings import ProcessSettings

_REFUSALS_KEPT_MIN: Final = timedelta(hours=1)
"""Twice as long as a broker waits for an acknowledgement before it delivers again (RabbitMQ's ``consumer_timeout``)."""
_Logins = Annotated[frozenset[str], NoDecode]


class Settings(ProcessSettings):
    """What a worker of the ledger needs to know."""

    mana_partitions: int = Field(default=PARTITIONS_DEFAULT, ge=1, le=PARTITIONS_MAX)
    mana_single_broker_node: bool = False
    mana_batch_max: int = Field(default=256, ge=1, le=4096)
    app_commands_per_second: int = Field(default=10_000, ge=1, le=1_000_000)
    app_unanswered_max: int = Field(default=10_000, ge=1, le=1_000_000)
    app_flood_pause: Annotated[timedelta, BeforeValidator(read_duration)] = Field(
        default=timedelta(seconds=5), le=timedelta(minutes=5), validate_default=False
    )
    credits_signup_bonus: int = Field(default=150, ge=0, le=AMOUNT_MAX)
    credits_daily_free: int = Field(default=5, ge=0, le=AMOUNT_MAX)
    credits_refund_policy: RefundPolicy = "debt"
    refusals_expiry: Annotated[timedelta, BeforeValidator(read_duration)] = Field(
        default=REFUSALS_KEPT, ge=_REFUSALS_KEPT_MIN, validate_default=False
    )
    mana_admin_logins: _Logins = frozenset({ADMIN_LOGIN})
    mana_front_logins: _Logins = frozenset({FRONT_LOGIN, RELAY_LOGIN})
    mana_system_logins: _Logins = frozenset({WORKER_LOGIN})
    mana_payments_logins: _Logins = frozenset({PAYMENTS_LOGIN})

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


class ClockSettings(Settings):
    """What the clock needs to know besides: how often it verifies the ledger."""

    ledger_verify_every: Annotated[timedelta, BeforeValidator(read_duration)] = Field(
        default=timedelta(days=1), ge=timedelta(hours=1), le=timedelta(days=30), validate_default=False
    )
