"""What became of a key: the ledger's word, unless a newer try is under way that it has not decided yet."""

from __future__ import annotations

from uuid import UUID

from api.credits.store import CreditsStore
from api.credits.tries import Tries
from api.credits.views import Completed, RefusedOperation
from api.errors import Unavailable


class Operations:
    """Looks operations up by their key."""

    def __init__(self, store: CreditsStore, tries: Tries) -> None:
        self._store = store
        self._tries = tries

    async def find(self, user_id: UUID, key: str) -> Completed | RefusedOperation | None:
        """``None`` while nothing is known of the newest try. Raises ``Unavailable``, also where a refusal cannot be
        told from that of an older try; what was completed stays completed, whatever was tried later."""
        try:
            newest = await self._tries.newest(user_id, key)
        except Unavailable:
            operation = await self._store.operation(user_id, key, None)
            if isinstance(operation, RefusedOperation):
                raise
            return operation
        return await self._store.operation(user_id, key, newest)
