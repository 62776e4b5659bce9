"""Where tokens are verified, the key says with which one algorithm, and no place takes a list of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
CODE = [path for folder in ("api", "workers", "contracts") for path in (CHECKOUT / folder).rglob("*.py")]


def _decodes(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"jwt.decode", "jwt.decode_complete"}:
            yield node


def _algorithms(call: ast.Call) -> ast.expr | None:
    named = {word.arg: word.value for word in call.keywords}
    return named.get("algorithms", call.args[2] if len(call.args) > 2 else None)


def test_each_decode_names_one_algorithm_which_is_its_keys() -> None:
    """[12]."""
    calls = [(path, call) for path in CODE for call in _decodes(ast.parse(path.read_text(encoding="utf-8")))]
    assert [path for path, _ in calls] == [CHECKOUT / "api/auth/tokens.py"]
    ((_, call),) = calls
    listed = _algorithms(call)
    assert isinstance(listed, ast.List)
    assert [ast.unparse(element) for element in listed.elts] == ["key.algorithm"]


@pytest.mark.parametrize("name", ["PyJWT", "PyJWS", "PyJWKClient", "api_jwt", "api_jws"])
def test_the_librarys_other_doors_are_not_used(name: str) -> None:
    """[12]."""
    users = [
        path
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names})
    ]
    assert users == []
