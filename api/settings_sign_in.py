"""Settings of sign-in: tokens and their keys, sessions, passwords, the second factor."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from api.setting_fields import Duration, Pem, SecretKey

_ROTATION_MIN: Final = timedelta(hours=1)
"""A new key is published some time before it signs; it should sign for longer than that."""
_RECENT_MAX: Final = timedelta(days=1)


def half_the_cores() -> int:
    """The threads that compute hashes, where nobody says how many: others have work to do meanwhile."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


class SignInSettings(BaseSettings):
    """Times are durations such as ``15m``."""

    mana_secret_key: SecretKey
    jwt_issuer: str = Field(default="mana", min_length=1)
    jwt_audience: str = Field(default="mana", min_length=1)
    jwt_algorithm: Literal["EdDSA", "RS256"] = "EdDSA"
    jwt_key_rotation: Annotated[Duration, Field(ge=_ROTATION_MIN)] = timedelta(days=30)
    jwt_private_key: Pem | None = None
    jwt_public_key: Pem | None = None
    jwt_access_token_expiry: Duration = timedelta(minutes=15)
    jwt_refresh_token_expiry: Duration = timedelta(days=7)
    refresh_grace_seconds: int = Field(default=10, ge=0, le=60)
    session_expiry: Duration = timedelta(days=30)
    sessions_max: int = Field(default=50, ge=1, le=1_000)
    recent_sign_in: Annotated[Duration, Field(le=_RECENT_MAX)] = timedelta(minutes=10)
    password_hash_threads: int = Field(default_factory=half_the_cores, ge=1, le=64)
    two_factor_window: int = Field(default=1, ge=0, le=1)
