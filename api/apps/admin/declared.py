"""An app as it is declared, over REST or by an operator: what may stand in it is decided here. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from api.apps.admin.model import Declared
from api.auth.bodies import Body
from api.text import OneLine
from contracts.apps import DEFAULT_PERMISSIONS, PERMISSIONS, Permission, app_id_problem

NAME_LENGTH_MAX: Final = 200
LIMIT_MAX: Final = 1_000_000


def _app_id(value: str) -> str:
    problem = app_id_problem(value)
    if problem is not None:
        raise ValueError(problem)
    return value


def _in_order(permissions: Iterable[Permission]) -> list[Permission]:
    """Each once, in the contract's order."""
    given = {*permissions}
    return [permission for permission in PERMISSIONS if permission in given]


NewAppId = Annotated[
    str, AfterValidator(_app_id), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"})
]
Name = Annotated[OneLine, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
Permissions = Annotated[list[Permission], Field(max_length=len(PERMISSIONS)), AfterValidator(_in_order)]
Limit = Annotated[int, Field(strict=True, ge=1, le=LIMIT_MAX)]


class NewAppBody(Body):
    """Body of ``POST /admin/apps``. Without a name its id is its name; without limits the workers' settings hold."""

    id: NewAppId
    name: Name | None = None
    permissions: Permissions = Field(default_factory=lambda: _in_order(DEFAULT_PERMISSIONS))
    commands_per_second: Limit | None = None
    unanswered_max: Limit | None = None

    def declared(self) -> Declared:
        """What is chosen about the app."""
        return Declared(self.name or self.id, tuple(self.permissions), self.commands_per_second, self.unanswered_max)


class ChangedAppBody(Body):
    """Body of ``PATCH /admin/apps/{appId}``: what is left out stays; a limit of ``null`` is the workers' settings'."""

    name: Name = Field(default_factory=str)
    permissions: Permissions = Field(default_factory=list[Permission])
    commands_per_second: Limit | None = None
    unanswered_max: Limit | None = None

    def declared(self, old: Declared) -> Declared:
        """The app with what is named changed."""
        given: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if "permissions" in given:
            given["permissions"] = tuple(given["permissions"])
        return Declared(**{**vars(old), **given})
