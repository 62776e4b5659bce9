"""Ends keys: in the transaction of what they end for, so that both hold or neither does."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from api.auth import store as auth
from api.auth.api_keys import store
from api.auth.model import SecurityEvent
from api.database import Connection


async def end_keys(connection: Connection, user_id: UUID, cause: SecurityEvent) -> None:
    """Ends all of a user's keys, since whoever made them may be the one who is to be shut out; each is an event, which
    names its cause.

    Under ``standing.seize``: a key that is just being made is waited for.
    """
    for key_id in await store.end_keys(connection, user_id):
        details = {"keyId": key_id, "because": cause.type}
        await auth.add_event(connection, replace(cause, type="api_key.revoked", details=details))
