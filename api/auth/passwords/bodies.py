"""Bodies of the passwords' routes."""

from __future__ import annotations

from pydantic import BaseModel

from api.auth.bodies import EmailField, GivenPassword, LoginBody, NewPassword


class _Body(BaseModel):
    model_config = LoginBody.model_config


class ChangeBody(_Body):
    """Body of ``POST /auth/password/change``."""

    current_password: GivenPassword
    new_password: NewPassword


class ForgotBody(_Body):
    """Body of ``POST /auth/password/forgot``."""

    email: EmailField


class ResetBody(_Body):
    """Body of ``POST /auth/password/reset``; the token is that of a link in a mail."""

    token: str
    new_password: NewPassword
