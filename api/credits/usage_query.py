"""The query of ``GET /credits/usage``, and the time that it means."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.credits.queries import AppId, Moment
from api.credits.store import Period
from api.credits.views import GroupBy

_DAY: Final = timedelta(days=1)
_DEFAULT: Final = timedelta(days=30)
_LONGEST: Final = timedelta(days=400)
_LONGEST_BY_HOUR: Final = timedelta(days=31)
_EARLIEST: Final = 2000
_LATEST: Final = 2999
"""Years: statistics are of our time, and days before and after each can be reckoned with."""


class UsagePeriodError(ValueError):
    """``from`` does not begin a period; the message says why."""


def _whole_hour(value: datetime) -> datetime:
    if value.minute or value.second or value.microsecond:
        raise ValueError("is not a whole hour in UTC")
    if not _EARLIEST <= value.year <= _LATEST:
        raise ValueError(f"is not between the years {_EARLIEST} and {_LATEST}")
    return value


WholeHour = Annotated[Moment, AfterValidator(_whole_hour)]


class UsageQuery(BaseModel):
    """Which usages, and by what they are added up; without times the last 30 days, today included."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_alias=True, frozen=True)

    from_: WholeHour | None = Field(default=None, alias="from")
    to: WholeHour | None = None
    group_by: GroupBy = "day"
    app_id: AppId | None = None

    def period(self, now: datetime) -> Period:
        """The time that is meant. Raises ``UsagePeriodError``."""
        until = self.to or now.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        since = self.from_ or until - _DEFAULT
        if since >= until:
            raise UsagePeriodError("is not before the end")
        longest = _LONGEST_BY_HOUR if self.group_by == "hour" else _LONGEST
        if until - since > longest:
            raise UsagePeriodError(f"is more than {longest.days} days before the end")
        return Period(since, until)
