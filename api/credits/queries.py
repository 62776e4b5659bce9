"""The query of ``GET /credits/transactions``, checked, and the address of its next page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.credits.store import Selection
from contracts.replies import TransactionType

_SEQUENCE: Final = "[1-9][0-9]{0,17}"
_APP_ID: Final = "[A-Za-z0-9_-]{1,64}"


def _moment(value: object) -> datetime:
    try:
        moment = msgspec.convert(value, datetime)
        if moment.tzinfo is None:
            raise ValueError("is a time without its offset from UTC")
        return moment.astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        raise ValueError("is not a time of RFC 3339") from error


def matching(pattern: str, complaint: str) -> tuple[AfterValidator, WithJsonSchema]:
    """Text that fits a pattern, which is for programs; people are told the complaint."""

    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(complaint)
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Cursor = Annotated[str, *matching(_SEQUENCE, "is not the cursor of a next page")]
AppId = Annotated[str, *matching(_APP_ID, "must be 1 to 64 of A-Z a-z 0-9 _ -")]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class TransactionsQuery(BaseModel):
    """Which transactions; ``cursor`` comes from the last page's ``Link``."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, validate_by_alias=True, frozen=True)

    limit: int = Field(default=50, ge=1, le=200)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    cursor: Cursor | None = None
    type: TransactionType | None = None
    app_id: AppId | None = None
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None
    user_id: UUID | None = Field(default=None, description="the user, where a service asks")

    def selection(self) -> Selection:
        """One more than asked for, which tells whether there is a next page."""
        return Selection(
            limit=self.limit + 1,
            offset=self.offset,
            before=None if self.cursor is None else int(self.cursor),
            type=self.type,
            app_id=self.app_id,
            since=self.from_,
            until=self.to,
        )

    def next_page(self, path: str, last_sequence: int) -> str:
        """The address of what comes after the transaction with that sequence number, the same filters kept."""
        query = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"offset", "cursor"})
        return f"{path}?{urlencode({**query, 'cursor': last_sequence})}"
