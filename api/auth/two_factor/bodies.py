"""Bodies of the second factor's routes, as clients send and receive them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from api.auth.bodies import Body, GivenPassword, Label
from api.auth.two_factor.enrolment import NewSecret
from api.auth.two_factor.judging import Presented
from api.auth.two_factor.qr import svg
from api.text import PlainText

_CODE: Final = "[0-9]{6}"


def _six_digits(code: str) -> str:
    if re.fullmatch(_CODE, code) is None:
        raise ValueError("must be six digits")
    return code


Code = Annotated[str, AfterValidator(_six_digits), Field(json_schema_extra={"pattern": f"^{_CODE}$"})]
TypedRecoveryCode = Annotated[PlainText, Field(min_length=1, max_length=100)]


class CodeBody(Body):
    """A code that the authenticator shows now."""

    code: Code


def _one_of_two(schema: dict[str, Any]) -> None:
    """What the model's validator judges, for OpenAPI."""
    null, text = {"type": "null"}, {"type": "string"}
    names = ("code", "recoveryCode")
    schema["oneOf"] = [
        {"required": [name], "properties": {other: text if other == name else null for other in names}}
        for name in names
    ]


class FactorBody(Body):
    """Either a code that the authenticator shows now, or a recovery code."""

    model_config = ConfigDict(json_schema_extra=_one_of_two)

    code: Code | None = None
    recovery_code: TypedRecoveryCode | None = None

    @model_validator(mode="after")
    def _one(self) -> FactorBody:
        if (self.code is None) == (self.recovery_code is None):
            raise ValueError("needs one of code and recoveryCode")
        return self

    @property
    def presented(self) -> Presented:
        """What is to be judged."""
        return Presented(self.code, self.recovery_code)


class AnswerBody(FactorBody):
    """Body of ``POST /auth/login/two-factor``; the device is the one that the challenge was given to."""

    challenge: Annotated[PlainText, Field(min_length=1, max_length=200)]
    device_id: Label | None = None


class ReauthenticateBody(Body):
    """Body of ``POST /auth/reauthenticate``; ``code`` is needed where a second factor is on."""

    password: GivenPassword
    code: Code | None = None


class NewSecretView(Body):
    """A secret, as text, as the address that authenticators know, and as a QR code of that address (SVG)."""

    secret: str
    uri: str
    qr: str

    @classmethod
    def of(cls, new: NewSecret) -> NewSecretView:
        """The view of a new secret."""
        return cls.model_construct(secret=new.text, uri=new.uri, qr=svg(new.uri))


class RecoveryCodesView(Body):
    """Each is good for one sign-in without the authenticator; they are not told again."""

    recovery_codes: list[str]

    @classmethod
    def of(cls, codes: list[str]) -> RecoveryCodesView:
        """The view of new codes."""
        return cls.model_construct(recovery_codes=codes)
