"""What is wrong with a field is said in our words, whichever library found it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.auth.admin.bodies import EventsQuery, RoleBody, UsersQuery
from api.auth.bodies import LoginBody, RegisterBody
from api.wording import of_pydantic
from contracts.commands import Grant, Refund
from contracts.explaining import field_problems
from contracts.wording import of_msgspec
from tests.unit.contracts.examples import USER


@pytest.mark.parametrize(
    ("value", "type_", "words"),
    [
        (7, str, "must be a string"),
        ("7", int | None, "must be a whole number"),
        (1.5, int, "must be a whole number"),
        ("yes", bool, "must be true or false"),
        ("today", datetime, "must be a time of RFC 3339"),
        (7, datetime, "must be a time of RFC 3339"),
        ("2026-01-01T00:00:00", Annotated[datetime, Meta(tz=True)], "is a time without its offset from UTC"),
        (0, Annotated[int, Meta(ge=1)], "must be at least 1"),
        (-8, Annotated[int, Meta(ge=-7)], "must be at least -7"),
        (8, Annotated[int, Meta(le=7)], "must be at most 7"),
        ("", Annotated[str, Meta(min_length=1)], "must not be empty"),
        ("ab", Annotated[str, Meta(min_length=3)], "must have at least 3 characters"),
        ("abcd", Annotated[str, Meta(max_length=3)], "must have at most 3 characters"),
    ],
)
def test_what_msgspec_finds(value: Any, type_: Any, words: str) -> None:
    with pytest.raises(msgspec.ValidationError) as found:
        msgspec.convert(value, type_)
    assert of_msgspec(str(found.value)) == words


def test_one_of_few_texts_is_told_which() -> None:
    fields = {"userId": USER, "idempotencyKey": "k", "amount": 10**10, "description": "", "source": "gift"}
    told = {problem.field: problem.message for problem in field_problems(Grant, fields)}
    assert told == {
        "amount": "must be at most 1000000000",
        "description": "must not be empty",
        "source": "must be promotion or bonus",
    }


def test_what_may_be_null_is_told_the_same() -> None:
    fields = {"userId": USER, "idempotencyKey": "k", "transactionId": USER, "amount": 0, "description": "x" * 501}
    told = {problem.field: problem.message for problem in field_problems(Refund, fields)}
    assert told == {"amount": "must be at least 1", "description": "must have at most 500 characters"}


class _Inner(BaseModel):
    a: int


class _Every(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str = ""
    number: Annotated[int, Field(ge=1, le=200)] = 1
    yes: bool = True
    short: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    longer: Annotated[str, Field(min_length=12)] = "a" * 12
    one: Literal["user", "admin"] = "user"
    inner: _Inner | None = None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": 5}, "must be a string"),
        ({"text": None}, "must be a string"),
        ({"number": "x"}, "must be a whole number"),
        ({"number": 1.5}, "must be a whole number"),
        ({"number": []}, "must be a whole number"),
        ({"number": 0}, "must be at least 1"),
        ({"number": 201}, "must be at most 200"),
        ({"yes": "perhaps"}, "must be true or false"),
        ({"yes": []}, "must be true or false"),
        ({"short": ""}, "must not be empty"),
        ({"short": "abcd"}, "must have at most 3 characters"),
        ({"longer": "abc"}, "must have at least 12 characters"),
        ({"one": "root"}, "must be user or admin"),
        ({"inner": 5}, "must be an object"),
        ({"inner": {}}, "is required"),
        ({"other": 5}, "is not known"),
    ],
)
def test_what_pydantic_finds(given: dict[str, Any], words: str) -> None:
    assert _told(_Every, given) == [words]


@pytest.mark.parametrize(
    ("body", "given", "words"),
    [
        (RegisterBody, {"email": 5, "password": "x" * 12}, ["is no e-mail address"]),
        (RegisterBody, {"email": "a@example.com", "password": 5}, ["must be a string"]),
        (RegisterBody, {"email": "a@example.com", "password": "x" * 12, "name": ""}, ["must not be empty"]),
        (RegisterBody, {"email": "a@example.com", "password": "x"}, ["must have 12 to 128 characters"]),
        (LoginBody, {"email": "a@example.com", "password": "x", "deviceId": "d" * 201},
         ["must have at most 200 characters"]),
        (RoleBody, {"role": "root"}, ["must be user or admin"]),
        (UsersQuery, {"limit": "0"}, ["must be at least 1"]),
        (UsersQuery, {"cursor": "x"}, ["must be a UUID"]),
        (EventsQuery, {"userId": "x", "limit": "many"}, ["must be a UUID", "must be a whole number"]),
    ],
)  # fmt: skip
def test_bodies_and_queries_of_ours(body: type[BaseModel], given: dict[str, Any], words: list[str]) -> None:
    assert _told(body, given) == words


def _told(model: type[BaseModel], given: dict[str, Any]) -> list[str]:
    with pytest.raises(ValidationError) as found:
        model.model_validate(given)
    return [of_pydantic(dict(entry)) for entry in found.value.errors()]
