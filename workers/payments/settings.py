"""The payments worker's settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from contracts import stripe
from contracts.durations import read_duration
from workers.process_settings import ProcessSettings


def _url(value: str, given: ValidationInfo) -> str:
    return stripe.api_url(value, given.data.get("stripe_secret_key"))


class PaymentsSettings(ProcessSettings):
    """Where Stripe is, and as whom it is asked. Without a key events are told to the ledger all the same, but nothing
    is asked, and live mode is not told from test mode."""

    mana_process_name: str = Field(default="payments", min_length=1, max_length=100)
    stripe_secret_key: Annotated[str, BeforeValidator(stripe.secret_key)] | None = Field(default=None, repr=False)
    stripe_api_url: Annotated[str, AfterValidator(_url)] = stripe.API_URL
    stripe_reconcile_every: Annotated[timedelta, BeforeValidator(read_duration)] = Field(
        default=timedelta(hours=1), validate_default=False
    )

    @property
    def live(self) -> bool | None:
        """Whether our key moves real money; ``None`` without one."""
        return None if self.stripe_secret_key is None else stripe.is_live(self.stripe_secret_key)
