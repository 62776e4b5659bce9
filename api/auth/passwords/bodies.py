"""Bodies of the passwords' routes."""

from __future__ import annotations

from api.auth.bodies import Body, EmailField, GivenPassword, NewPassword


class ChangeBody(Body):
    """Body of ``POST /auth/password/change``."""

    current_password: GivenPassword
    new_password: NewPassword


class ForgotBody(Body):
    """Body of ``POST /auth/password/forgot``."""

    email: EmailField


class ResetBody(Body):
    """Body of ``POST /auth/password/reset``; the token is that of a link in a mail."""

    token: str
    new_password: NewPassword
