"""Files of users: what each line is read as, and which lines become users."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.operators.import_users.judging import Importable, judge
from api.operators.import_users.reading import Format, Line, NoUsersFile, read

ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQxMjM0NTY$" + "A" * 43
BCRYPT = "$2b$12$" + "a" * 53
SCRYPT = "$scrypt$ln=15,r=8,p=1$c29tZXNhbHQ$" + "A" * 43
WERKZEUG = "scrypt:32768:8:1$saltsaltsaltsalt$" + "0" * 128


def _read(folder: Path, content: bytes, form: Format) -> list[Line]:
    file = folder / "users"
    file.write_bytes(content)
    return list(read(file, form))


def _fields(**more: Any) -> dict[str, Any]:
    return {"email": "Ada@Example.com", **more}


def test_json_lines_are_told_by_their_numbers(tmp_path: Path) -> None:
    content = (
        b'{"email": "a@b.example"}\n\n  \n[1]\n{"email": \xff}\n' + b'{"x": "' + b"y" * 70_000 + b'"}\n{"balance": 5}'
    )
    lines = _read(tmp_path, content, "jsonl")
    assert [(line.number, dict(line.fields)) for line in lines if not line.problem] == [
        (1, {"email": "a@b.example"}),
        (7, {"balance": 5}),
    ]
    assert {line.number: line.problem for line in lines if line.problem} == {
        4: "is no JSON object in UTF-8",
        5: "is no JSON object in UTF-8",
        6: "is too long",
    }


def test_csv_lines_are_told_by_where_they_begin(tmp_path: Path) -> None:
    content = '\ufeffEmail,name,balance\na@b.example,"Zeile\nzwei",5\n\nb@b.example,,\nc@b.example\n'.encode()
    lines = _read(tmp_path, content, "csv")
    assert [(line.number, dict(line.fields)) for line in lines[:2]] == [
        (2, {"email": "a@b.example", "name": "Zeile\nzwei", "balance": "5"}),
        (5, {"email": "b@b.example"}),
    ]
    assert [(line.number, line.problem) for line in lines[2:]] == [(6, "has 1 columns, not 3")]


def test_a_line_that_is_no_csv_spoils_no_other(tmp_path: Path) -> None:
    lines = _read(tmp_path, b'email\na@b.example\n"x"y@b.example\nb\xff@b.example\nc@b.example\n', "csv")
    assert [line.number for line in lines if line.problem] == [3]
    assert [line.fields["email"] for line in lines if not line.problem] == [
        "a@b.example",
        "b\udcff@b.example",
        "c@b.example",
    ]
    with pytest.raises(ValueError, match="UTF-8"):
        judge(lines[2].fields, typed=False)


@pytest.mark.parametrize("content", [b"", b"name,balance\n", b"email,email\n", b'"'])
def test_a_file_without_the_column_of_addresses(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NoUsersFile):
        _read(tmp_path, content, "csv")


def test_both_forms_say_the_same() -> None:
    told = judge(_fields(name="Ada", hash=BCRYPT, verified=True, balance=7), typed=True)
    assert told == judge(_fields(name="Ada", hash=BCRYPT, verified="true", balance="7"), typed=False)
    assert (told.email.address, told.email.key) == ("Ada@example.com", "ada@example.com")
    assert (told.name, told.hash, told.verified, told.balance) == ("Ada", BCRYPT, True, 7)
    bare = judge(_fields(), typed=True)
    assert (bare.name, bare.hash, bare.verified, bare.balance) == (None, None, False, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "`email`"),
        ({"email": "no address"}, "email is no e-mail address"),
        ({"email": 5}, "email"),
        ({"email": "\ufdfa" * 40 + "@x.test"}, "email is no e-mail address"),
        (_fields(role="admin"), "`role`"),
        (_fields(balance=-1), "balance"),
        (_fields(balance=1_000_000_001), "balance"),
        (_fields(balance=1.5), "balance"),
        (_fields(verified="yes"), "verified"),
        (_fields(name=""), "name"),
        (_fields(name="x" * 201), "name"),
        (_fields(name="a\x00b"), "NUL"),
        (_fields(hash="5f4dcc3b5aa765d61d8327deb882cf99"), "hash"),
        (_fields(hash="$6$salt$abc"), "hash"),
        (_fields(hash="$2b$15$" + "a" * 53), "hash"),
        (_fields(hash=ARGON2.replace("m=65536", "m=4194304")), "hash"),
        (_fields(hash=SCRYPT.replace("ln=15", "ln=24")), "hash"),
        (_fields(hash=ARGON2 + "\x00"), "hash"),
        (_fields(hash=ARGON2 + "\udcff"), "hash"),
    ],
)
def test_what_becomes_no_user_is_told_why_without_its_values(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        judge(fields, typed=True)
    said = str(refused.value)
    assert "$." not in said
    assert not any(str(value) in said for value in fields.values() if value not in ("", 5))


@pytest.mark.parametrize(
    ("given", "kept"), [(ARGON2, ARGON2), (BCRYPT, BCRYPT), (SCRYPT, SCRYPT), (WERKZEUG, "$scrypt$ln=15,r=8,p=1$")]
)
def test_hashes_are_kept_as_sign_in_reads_them(given: str, kept: str) -> None:
    """[36]."""
    hash_kept = judge(_fields(hash=given), typed=True).hash
    assert hash_kept is not None
    assert hash_kept.startswith(kept)


_VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))
_NAMES = st.sampled_from(["email", "name", "hash", "verified", "balance", "role", ""])


@given(fields=st.dictionaries(_NAMES, _VALUES), typed=st.booleans())
def test_every_line_becomes_a_user_or_a_reason(fields: dict[str, Any], typed: bool) -> None:
    """Whatever else is raised would end the import."""
    with suppress(ValueError):
        assert isinstance(judge(fields, typed=typed), Importable)
