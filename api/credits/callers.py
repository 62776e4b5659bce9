"""Whose credits a caller means: their own, or those of the user whom a service names."""

from __future__ import annotations

from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import Query

from api.apps.services import Service
from api.auth.guard import Caller, User
from api.auth.tokens import Claims
from api.credits.views import Completed, RefusedOperation
from api.errors import refuse_field

NamedUser: TypeAlias = Annotated[UUID | None, Query(alias="userId", description="the user, where a service asks")]


def account_of(caller: Caller, named: UUID | None) -> UUID:
    """The account. Raises ``Refusal`` (``invalid_request``) where a service names no user, and where another does."""
    if isinstance(caller, Service):
        if named is None:
            raise refuse_field("userId", "is required of a service")
        return named
    if named is not None:
        raise refuse_field("userId", "is for services alone")
    return caller.user_id


def acts_in(caller: User) -> UUID | str:
    """The session or the key that a user acts in."""
    return caller.session_id if isinstance(caller, Claims) else caller.id


def may_see(caller: Caller, operation: Completed | RefusedOperation) -> bool:
    """Whether the operation is the caller's to know: a service without leave to read users sees what its own app did,
    and why something was refused."""
    if not isinstance(caller, Service) or caller.app.may("users:read") or isinstance(operation, RefusedOperation):
        return True
    return operation.transaction is not None and operation.transaction.app_id == caller.app.id
