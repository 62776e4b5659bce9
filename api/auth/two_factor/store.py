"""Second factors and the challenges for them in PostgreSQL. Each function works inside its caller's transaction, as the
user whose rows they are, who was entered or seized before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import uuid_utils.compat

from api.database import Connection
from api.sql import Statements

_SQL: Final = Statements(Path(__file__).parent / "sql")


@dataclass(frozen=True)
class FactorRow:
    """A second factor as it is kept; it counts for nothing until it is ``enabled``."""

    sealed_secret: bytes
    recovery_hashes: list[bytes]
    last_step: int
    failures: int
    enabled: bool
    locked: timedelta | None


@dataclass(frozen=True)
class ChallengeRow:
    """A challenge that can still be answered, under lock; ``known_device``: the user had signed in from it before."""

    id: UUID
    epoch: int
    device_hash: bytes | None
    device_name: str | None
    failures: int
    known_device: bool


@dataclass(frozen=True)
class Proof:
    """What a user can prove who they are with; no hash where they have no password."""

    password_hash: str | None
    epoch: int
    two_factor: bool


async def lock_factor(connection: Connection, user_id: UUID) -> FactorRow | None:
    """Locks the user's second factor, if there is one: before any challenge."""
    row = await connection.fetchrow(_SQL["lock_factor"], user_id)
    return None if row is None else FactorRow(**row)


async def accept_code(connection: Connection, user_id: UUID, step: int) -> None:
    """Spends the codes up to that time step; earlier failures are forgotten."""
    await connection.execute(_SQL["accept_code"], user_id, step)


async def spend_recovery_code(connection: Connection, user_id: UUID, code_hash: bytes) -> None:
    """Spends a recovery code; earlier failures are forgotten."""
    await connection.execute(_SQL["spend_recovery_code"], user_id, code_hash)


async def note_failures(connection: Connection, user_id: UUID, failures: int, lock: timedelta | None) -> None:
    """Keeps how many have failed in a row, and locks the factor for a time where the last one was too many."""
    await connection.execute(_SQL["note_failures"], user_id, failures, lock)


async def begin_enrolment(connection: Connection, user_id: UUID, sealed_secret: bytes) -> bool:
    """Keeps a secret that is still to be confirmed. False where a second factor is on already."""
    return await connection.fetchval(_SQL["begin_enrolment"], user_id, sealed_secret) is not None


async def enable_factor(connection: Connection, user_id: UUID, step: int, recovery_hashes: Collection[bytes]) -> None:
    """Puts the kept secret in force; the code of ``step``, which confirmed it, is spent."""
    await connection.execute(_SQL["enable_factor"], user_id, step, list(recovery_hashes))


async def replace_recovery_codes(connection: Connection, user_id: UUID, recovery_hashes: Collection[bytes]) -> None:
    """Voids the recovery codes of before."""
    await connection.execute(_SQL["replace_recovery_codes"], user_id, list(recovery_hashes))


async def remove_factor(connection: Connection, user_id: UUID) -> None:
    """Forgets the second factor, its codes included."""
    await connection.execute(_SQL["remove_factor"], user_id)


async def replace_challenge(
    connection: Connection,
    user_id: UUID,
    token_hash: bytes,
    *,
    life: timedelta,
    epoch: int,
    device_hash: bytes | None,
    device_name: str | None,
) -> None:
    """Adds the user's one challenge; the one of before is void."""
    await connection.execute(_SQL["void_challenges"], user_id)
    challenge_id = uuid_utils.compat.uuid7()
    await connection.execute(
        _SQL["add_challenge"], challenge_id, user_id, token_hash, life, epoch, device_hash, device_name
    )


async def find_challenge_owner(connection: Connection, token_hash: bytes) -> UUID | None:
    """Whose challenge it is, in a transaction without a user."""
    return await connection.fetchval(_SQL["find_challenge_owner"], token_hash)


async def lock_challenge(connection: Connection, token_hash: bytes) -> ChallengeRow | None:
    """Locks a challenge; ``None`` for one that is spent, void or expired by the database's clock."""
    row = await connection.fetchrow(_SQL["lock_challenge"], token_hash)
    return None if row is None else ChallengeRow(**row)


async def spend_challenge(connection: Connection, challenge_id: UUID) -> None:
    """It was answered: nobody answers it again."""
    await connection.execute(_SQL["spend_challenge"], challenge_id)


async def count_wrong_answer(connection: Connection, challenge_id: UUID) -> None:
    """It was answered wrongly, and can be answered again."""
    await connection.execute(_SQL["count_wrong_answer"], challenge_id)


async def end_challenge(connection: Connection, challenge_id: UUID) -> None:
    """It was answered wrongly too often."""
    await connection.execute(_SQL["end_challenge"], challenge_id)


async def find_proof(connection: Connection, user_id: UUID) -> Proof | None:
    """What the user can prove who they are with, unlocked: ``epoch`` is to be compared under the lock."""
    row = await connection.fetchrow(_SQL["find_proof"], user_id)
    return None if row is None else Proof(**row)
