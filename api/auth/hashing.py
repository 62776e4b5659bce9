"""Argon2id hashes of passwords, computed in threads of their own and never in more.

The limit is the executor's, not a semaphore's: one is released by a cancelled request while its thread runs on.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import Unavailable

WAITING_MAX: Final = 64
"""Hashes that may wait: about a second and a half at 25 ms each in one thread."""
MEMORY_KIB: Final = 19_456
ROUNDS: Final = 2
MEMORY_KIB_MAX: Final = 4 * MEMORY_KIB
ROUNDS_MAX: Final = 10
_ABSENT: Final = "no user has this password"

Result = TypeVar("Result")


def normalised(password: str) -> str:
    """The password in Unicode's form NFC: however a keyboard composes a letter, it is the same password."""
    return unicodedata.normalize("NFC", password)


class Hasher:
    """Makes and checks hashes in ``threads`` threads; ``started`` counts them, so that tests can see equal work instead
    of timing it."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._argon2 = argon2.PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=1)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._absent: str | None = None
        self._underway = 0
        self.started = 0

    async def hash(self, password: str) -> str:
        """The hash in PHC form. Raises ``Unavailable`` where too many wait."""
        return await self._run(lambda: self._argon2.hash(normalised(password)))

    async def verify(self, password: str, stored: str | None, subject: bytes) -> bool:
        """Whether the password fits; without a stored hash as much work is done, and it never fits.

        ``subject`` is whom was asked for, known or not: it may choose among kinds of work that stand for nobody's
        hash, where there are several. Today there is one.
        Raises ``Unavailable`` where too many wait.
        """
        _ = subject
        if stored is None or not _affordable(stored):
            if self._absent is None:
                self._absent = await self._run(lambda: self._argon2.hash(_ABSENT))
            await self._run(lambda: self._fits(password, self._absent or ""))
            return False
        return await self._run(lambda: self._fits(password, stored))

    async def prepare(self) -> None:
        """Makes the hash that stands for users who have none, so that the first unknown user costs one hash too."""
        self._absent = await self._run(lambda: self._argon2.hash(_ABSENT))
        self.started = 0

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._argon2.check_needs_rehash(stored)

    def close(self) -> None:
        """Ends the threads; what waits is cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _fits(self, password: str, stored: str) -> bool:
        try:
            return self._argon2.verify(stored, normalised(password))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._underway >= self._threads + WAITING_MAX:
            raise Unavailable("passwords", "too many sign-ins at once")
        self._underway += 1
        self.started += 1
        future = self._executor.submit(work)
        loop = asyncio.get_running_loop()
        # Counted down when the thread is done, not when the request that asked is gone.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._underway -= 1


def _affordable(stored: str) -> bool:
    """False for a hash that is none, or whose parameters would take more memory or time than any of ours."""
    try:
        parameters = argon2.extract_parameters(stored)
    except InvalidHashError:
        return False
    return parameters.memory_cost <= MEMORY_KIB_MAX and parameters.time_cost <= ROUNDS_MAX
