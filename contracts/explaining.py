"""Why a body is no command: only refused messages come here, so clearness counts more than speed."""

from __future__ import annotations

import json
from typing import Any, Final, Literal, NoReturn, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo

from contracts.commands import Command
from contracts.errors import FieldError
from contracts.fields import PATTERNS_IN_WORDS, AppId, IdempotencyKey, Metadata, Uuid
from contracts.text import printable, text_problem, texts_in
from contracts.wording import of_msgspec

PROBLEMS_MAX: Final = 20
"""As many are named; who sends more mistakes than that learns of the rest next time."""
_DIGITS_MAX: Final = 40
_IDENTIFYING: Final[dict[str, Any]] = {"userId": Uuid, "idempotencyKey": IdempotencyKey, "appId": AppId}


def read_object(body: bytes) -> dict[str, Any] | str:
    """The JSON object that a body holds, or the reason why it cannot be read as one."""
    try:
        value = json.loads(body.decode(), parse_constant=_refuse, parse_int=_read_integer)
    except RecursionError:
        return "is nested too deeply"
    except ValueError:
        return "is not JSON in UTF-8"
    return value if isinstance(value, dict) else "is not an object"


def field_problems(command: type[Command], fields: dict[str, Any]) -> list[FieldError]:
    """Every field that does not fit the command; at least one entry, since its body was refused."""
    known = {field.encode_name: field for field in msgspec.structs.fields(command)}
    unknown = [FieldError(printable(name) or "body", "is not known") for name in fields if name not in known]
    found = [_field_problem(field, fields) for field in known.values()]
    problems = [problem for problem in found if problem is not None] + unknown
    return problems[:PROBLEMS_MAX] or [FieldError("body", "holds a value that JSON readers do not agree on")]


def valid_text(fields: dict[str, Any], name: str) -> str | None:
    """The text of ``userId``, ``idempotencyKey`` or ``appId`` if it fits the contract, so that it may be passed on."""
    value = fields.get(name)
    if not isinstance(value, str) or text_problem(name, value):
        return None
    return value if _misfit(value, _IDENTIFYING[name]) is None else None


def _field_problem(field: FieldInfo, fields: dict[str, Any]) -> FieldError | None:
    name = field.encode_name
    if name not in fields:
        return FieldError(name, "is required") if field.required else None
    value = fields[name]
    for text in texts_in(value):
        if problem := text_problem(name, text):
            return problem
    misfit = _no_object(value) if field.type is Metadata else _misfit(value, field.type)
    return None if misfit is None else FieldError(name, misfit)


def _no_object(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict) else "is not an object"


def _misfit(value: Any, type_: Any) -> str | None:
    """What is wrong with a value that does not fit the type."""
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        in_words = [words for patterned, words in PATTERNS_IN_WORDS if patterned == type_ and isinstance(value, str)]
        return in_words[0] if in_words else printable(of_msgspec(str(error), *_allowed(type_)))
    return None


def _allowed(type_: Any) -> tuple[str, ...]:
    return get_args(type_) if get_origin(type_) is Literal else ()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_integer(digits: str) -> int:
    """Cut, for beyond 4300 digits Python would refuse; what is left is still beyond every bound."""
    return int(digits[:_DIGITS_MAX])
