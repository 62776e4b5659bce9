"""Bodies of the sign-in routes, as clients send and receive them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.auth import emails
from api.auth.emails import Email
from api.auth.hashing import normalised
from api.auth.model import LiveSession, User
from api.auth.starting import Grant
from api.auth.two_factor.challenge import Challenge
from api.text import PlainText, is_plain

PASSWORD_LENGTH_MIN: Final = 12
PASSWORD_LENGTH_MAX: Final = 128


class Body(BaseModel):
    """What goes over the wire of these routes: camelCase there, and nothing that is not named."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=False,
        frozen=True,
        arbitrary_types_allowed=True,
    )


def _email(value: object) -> Email:
    if not isinstance(value, str) or not is_plain(value):
        raise ValueError("is no e-mail address")
    return emails.parse(value)


def _new_password(password: str) -> str:
    """Lengths are counted in the form in which passwords are compared."""
    if not PASSWORD_LENGTH_MIN <= len(normalised(password)) <= PASSWORD_LENGTH_MAX:
        raise ValueError(f"must have {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    return password


def _given_password(password: str) -> str:
    if not 1 <= len(normalised(password)) <= PASSWORD_LENGTH_MAX:
        raise ValueError(f"must have 1 to {PASSWORD_LENGTH_MAX} characters")
    return password


EmailField = Annotated[
    Email, BeforeValidator(_email), WithJsonSchema({"type": "string", "format": "email", "maxLength": 254})
]
NewPassword = Annotated[
    PlainText, AfterValidator(_new_password), Field(json_schema_extra={"minLength": 12, "maxLength": 128})
]
GivenPassword = Annotated[
    PlainText, AfterValidator(_given_password), Field(json_schema_extra={"minLength": 1, "maxLength": 128})
]
Label = Annotated[PlainText, Field(min_length=1, max_length=200)]


class RegisterBody(Body):
    """Body of ``POST /auth/register``."""

    email: EmailField
    password: NewPassword
    name: Label | None = None


class LoginBody(Body):
    """Body of ``POST /auth/login``; the device is what its user will know it by."""

    email: EmailField
    password: GivenPassword
    device_id: Label | None = None
    device_name: Label | None = None


class RefreshBody(Body):
    """Body of ``POST /auth/refresh``; in cookie mode the token is in the cookie instead."""

    refresh_token: str | None = None


class ValidateBody(Body):
    """Body of ``POST /auth/validate``."""

    token: str


class UserView(Body):
    """A user as clients see it."""

    id: UUID
    email: str
    name: str | None
    role: str
    email_verified: bool
    created_at: datetime

    @classmethod
    def of(cls, user: User) -> UserView:
        """The view of a user."""
        return cls.model_construct(**vars(user))


class GrantView(Body):
    """Tokens; ``expiresIn`` is the access token's life in seconds. In cookie mode ``refreshToken`` is ``null``."""

    user: UserView
    access_token: str
    refresh_token: str | None
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a scheme's name

    @classmethod
    def of(cls, grant: Grant) -> GrantView:
        """The view of what a sign-in or refresh gave."""
        return cls.model_construct(
            user=UserView.of(grant.user),
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            expires_in=grant.expires_in,
        )


class ChallengeView(Body):
    """The password was right; a session starts once a second factor has answered the challenge."""

    two_factor_required: Literal[True] = True
    challenge: str

    @classmethod
    def of(cls, challenge: Challenge) -> ChallengeView:
        """The view of a challenge."""
        return cls.model_construct(challenge=challenge.token)


class DoneView(Body):
    """It is done."""

    success: Literal[True] = True


class ValidationView(Body):
    """Whether a token is good, and what it says."""

    valid: bool
    payload: dict[str, Any] | None


class KeySetView(Body):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


class LiveSessionView(Body):
    """A live session."""

    id: UUID
    device_name: str | None
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, session: LiveSession) -> LiveSessionView:
        """The view of a session."""
        return cls.model_construct(**vars(session))
