"""Hashes of passwords: ours (Argon2id) made and checked, those of others checked, in threads of their own and never in
more.

The limit is the executor's, not a semaphore's: one is released by a cancelled request while its thread runs on.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from api.auth.passwords import foreign_hashes
from api.auth.passwords.decoys import fabricated
from api.auth.passwords.foreign_hashes import Check
from api.errors import Unavailable

WAITING_MAX: Final = 64
"""Hashes that may wait: about a second and a half at 25 ms each in one thread."""
WAIT_SECONDS_MAX: Final = 2.0
"""One that waited longer is not begun any more: hashes that others made may take a second each."""
MEMORY_KIB: Final = 19_456
ROUNDS: Final = 2
MEMORY_KIB_MAX: Final = 128 * 1024
"""Others' Argon2 hashes too: libraries' defaults are 64 and were 100 MiB."""
ROUNDS_MAX: Final = 10
LANES_MAX: Final = 16
"""Each lane may be a thread."""
_OUR_KIND: Final = f"$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p=1"

Result = TypeVar("Result")


def normalised(password: str) -> str:
    """The password in Unicode's form NFC: however a keyboard composes a letter, it is the same password."""
    return unicodedata.normalize("NFC", password)


class Hasher:
    """Makes and checks hashes in ``threads`` threads; ``started`` counts them, so that tests can see equal work instead
    of timing it, and ``refused`` those that there was no room for, or no time.

    ``decoy_of`` chooses the hash that stands for a subject who has none; where it knows none, one like ours does.
    ``clock`` tells seconds that never go back.
    """

    def __init__(
        self,
        threads: int,
        decoy_of: Callable[[bytes], str | None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = threads
        self._clock = clock
        self._decoy_of = decoy_of
        self._argon2 = argon2.PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=1)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._underway = 0
        self.started = 0
        self.refused = 0

    async def hash(self, password: str) -> str:
        """The hash in PHC form. Raises ``Unavailable`` where too many wait, or it would have to wait too long."""
        return await self._run(lambda: self._argon2.hash(normalised(password)))

    async def verify(self, password: str, stored: str | None, subject: bytes) -> bool:
        """Whether the password fits; without a stored hash as much work is done, and it never fits.

        ``subject`` is whom was asked for, known or not: by it a decoy is chosen. A stored hash that is none, or whose
        parameters would take too much memory or time, counts as none.
        Raises ``Unavailable`` where too many wait, or it would have to wait too long.
        """
        check = None if stored is None else self._checker(stored)
        if check is None:
            await self._run(partial(self._decoy(subject), password))
            return False
        return await self._run(partial(check, password))

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made by others, or with other parameters than today's."""
        return not stored.startswith("$argon2") or self._argon2.check_needs_rehash(stored)

    @property
    def waiting(self) -> int:
        """Hashes that wait for a thread."""
        return max(0, self._underway - self._threads)

    def close(self) -> None:
        """Ends the threads; what waits is cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _decoy(self, subject: bytes) -> Check:
        chosen = self._decoy_of(subject)
        check = None if chosen is None else self._checker(chosen)
        return check or partial(self._fits, fabricated(_OUR_KIND))

    def _checker(self, stored: str) -> Check | None:
        if stored.startswith("$argon2"):
            return partial(self._fits, stored) if is_affordable(stored) else None
        return foreign_hashes.checker(stored)

    def _fits(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._underway >= self._threads + WAITING_MAX:
            self.refused += 1
            raise _too_many()
        self._underway += 1
        self.started += 1
        future = self._executor.submit(self._in_time, work, self._clock() + WAIT_SECONDS_MAX)
        loop = asyncio.get_running_loop()
        # Counted down when the thread is done, not when the request that asked is gone.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        try:
            return await asyncio.wrap_future(future)
        except Unavailable:
            self.refused += 1
            raise

    def _in_time(self, work: Callable[[], Result], begin_before: float) -> Result:
        """In one of the threads: what comes too late costs nothing, so the next is in time."""
        if self._clock() > begin_before:
            raise _too_many()
        return work()

    def _done(self) -> None:
        self._underway -= 1


def _too_many() -> Unavailable:
    return Unavailable("passwords", "too many sign-ins at once")


def is_affordable(stored: str) -> bool:
    """False for an Argon2 hash that is none, or whose parameters would take more memory or time than is given."""
    try:
        parameters = argon2.extract_parameters(stored)
    except InvalidHashError:
        return False
    return (
        parameters.memory_cost <= MEMORY_KIB_MAX
        and parameters.time_cost <= ROUNDS_MAX
        and parameters.parallelism <= LANES_MAX
    )
