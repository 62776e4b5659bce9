"""Bodies and queries of the administration's routes, as clients send and receive them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, Field

from api.auth.admin.model import EventSelection, KnownUser, Mark, RecordedEvent, Role, WholeUser
from api.auth.bodies import Body, UserView
from api.credits.queries import Moment, matching
from api.text import PlainText

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MARK: Final = r"[1-9][0-9]{0,16}\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_TYPE: Final = r"[a-z_]{1,30}(\.[a-z_]{1,29})?"


Reason = Annotated[PlainText, Field(min_length=1, max_length=500)]
Prefix = Annotated[PlainText, Field(max_length=320)]
EventCursor = Annotated[str, *matching(_MARK, "is not the cursor of a next page")]
Type = Annotated[str, *matching(_TYPE, "is no type of an event")]
Limit = Annotated[int, Field(ge=1, le=200)]


class ReasonBody(Body):
    """Body of ``POST /admin/users/{userId}/ban`` and ``/unban``."""

    reason: Reason


class RoleBody(Body):
    """Body of ``PATCH /admin/users/{userId}``."""

    role: Role


class UsersQuery(Body):
    """Which users; ``email`` is how their addresses begin, ``cursor`` comes from the last page's ``Link``."""

    email: Prefix = ""
    cursor: UUID | None = None
    limit: Limit = 50

    def next_page(self, path: str, last: UUID) -> str:
        """The address of what comes behind that user, the same filter kept."""
        return _next(self, path, str(last))


class EventsQuery(Body):
    """Which events, the newest first; ``cursor`` comes from the last page's ``Link``."""

    user_id: UUID | None = None
    type: Type | None = None
    from_: Moment | None = Field(default=None, alias="from")
    cursor: EventCursor | None = None
    limit: Limit = 50

    def selection(self) -> EventSelection:
        """One more than asked for, which tells whether there is a next page."""
        before = None if self.cursor is None else _read_mark(self.cursor)
        return EventSelection(self.limit + 1, self.user_id, self.type, self.from_, before)

    def next_page(self, path: str, last: RecordedEvent) -> str:
        """The address of what comes before that event, the same filters kept."""
        return _next(self, path, f"{(last.created_at - _EPOCH) // _MICROSECOND}.{last.id}")


def _read_mark(cursor: str) -> Mark:
    microseconds, _, event_id = cursor.partition(".")
    return Mark(_EPOCH + int(microseconds) * _MICROSECOND, UUID(event_id))


def _next(query: BaseModel, path: str, cursor: str) -> str:
    kept = query.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"cursor"})
    return f"{path}?{urlencode({**kept, 'cursor': cursor})}"


class KnownUserView(UserView):
    """A user as administrators see them."""

    banned_at: datetime | None
    ban_reason: str | None
    language: str

    @classmethod
    def of_known(cls, known: KnownUser) -> KnownUserView:
        """The view of a user in a list."""
        return cls.model_construct(**_fields(known))


class WholeUserView(KnownUserView):
    """The same with whether a second factor is asked for, and how many sessions live."""

    two_factor: bool
    sessions: int

    @classmethod
    def of_whole(cls, whole: WholeUser) -> WholeUserView:
        """The view of one user."""
        return cls.model_construct(**_fields(whole.known), two_factor=whole.two_factor, sessions=whole.sessions)


def _fields(known: KnownUser) -> dict[str, Any]:
    own = {"banned_at": known.banned_at, "ban_reason": known.ban_reason, "language": known.language}
    return {**vars(known.user), **own}


class RecordedEventView(Body):
    """A security event; ``actorId`` is the administrator, where it was not the user."""

    id: UUID
    user_id: UUID | None
    actor_id: UUID | None
    session_id: UUID | None
    type: str
    address: str | None
    user_agent: str | None
    details: dict[str, Any] | None
    created_at: datetime

    @classmethod
    def of(cls, event: RecordedEvent) -> RecordedEventView:
        """The view of an event."""
        return cls.model_construct(**vars(event))
