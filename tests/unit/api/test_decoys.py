"""Unknown addresses cost what users' do: in the same proportions, and each the same one always (SECURITY.md 21)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.hashing import Hasher
from api.auth.passwords.decoys import Kinds, fabricated
from api.auth.passwords.foreign_hashes import checker

BCRYPT, SCRYPT, OURS = "$2b$05", "$scrypt$ln=10,r=8,p=1", "$argon2id$v=19$m=19456,t=2,p=1"


@pytest.mark.parametrize("kind", [BCRYPT, "$2a$10", SCRYPT])
def test_a_fabricated_hash_is_one_of_its_kind(kind: str) -> None:
    made = fabricated(kind)
    assert made.startswith(f"{kind}$")
    check = checker(made)
    assert check is not None
    assert not check("password")
    assert fabricated(kind) != made


@given(
    st.dictionaries(st.sampled_from([BCRYPT, SCRYPT, OURS, "$2a$12"]), st.integers(1, 10_000), min_size=1),
    st.floats(0, 1, exclude_max=True),
)
def test_kinds_come_as_often_as_users_have_them(users: dict[str, int], place: float) -> None:
    kinds, steps = Kinds(users), 2_000
    frequent = {kind: count for kind, count in users.items() if count >= sum(users.values()) / 100}
    assert kinds.at(place) in frequent
    drawn = [kinds.at(step / steps) for step in range(steps)]
    for kind in users:
        share = frequent.get(kind, 0) / sum(frequent.values())
        assert abs(drawn.count(kind) / steps - share) < 0.001


def test_where_nobody_has_a_password_there_is_no_kind() -> None:
    assert Kinds({}).at(0.5) is None


@pytest.mark.checklist(21)
@pytest.mark.parametrize("decoy", [BCRYPT, SCRYPT, OURS, "nonsense", None])
async def test_every_subject_without_a_hash_costs_one(decoy: str | None) -> None:
    """A kind that nobody can check costs what ours do."""
    asked: list[bytes] = []

    def decoy_of(subject: bytes) -> str | None:
        asked.append(subject)
        return None if decoy is None else fabricated(decoy)

    hasher = Hasher(1, decoy_of)
    assert await hasher.verify("password", None, b"nobody@example.com") is False
    assert (hasher.started, asked) == (1, [b"nobody@example.com"])
    hasher.close()
