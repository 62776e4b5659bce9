"""Which tests in the tree claim which numbers, whether a run has them or not."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NUMBERS: Final = re.compile(r"\s*((?:\[\d+(?:,\s*\d+)*\]\s*)+)")
_Function = ast.FunctionDef | ast.AsyncFunctionDef

Claims = dict[int, frozenset[str]]
"""By number: its tests, as ``tests/unit/test_x.py::test_y``, without parameters."""


def numbers_in(docstring: str | None) -> frozenset[int]:
    """The numbers that a docstring begins with; one in the middle of it is no claim."""
    match = _NUMBERS.match(docstring or "")
    return frozenset(int(number) for number in re.findall(r"\d+", match[1])) if match else frozenset()


def claims_in(root: Path) -> Claims:
    """All claims of the tests below ``root / "tests"``."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for file in sorted((root / "tests").rglob("test_*.py")):
        for test, numbers in _claims_of(file.read_text(encoding="utf-8")):
            for number in numbers:
                found[number].add(f"{file.relative_to(root).as_posix()}::{test}")
    return {number: frozenset(tests) for number, tests in found.items()}


def _claims_of(source: str) -> Iterator[tuple[str, frozenset[int]]]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _Function) and node.name.startswith("test"):
            yield node.name, numbers_in(ast.get_docstring(node)) | _marked(node)


def _marked(function: _Function) -> frozenset[int]:
    """The numbers of the marker ``checklist``."""
    calls = [one for one in function.decorator_list if isinstance(one, ast.Call)]
    marks = [call for call in calls if ast.unparse(call.func) == "pytest.mark.checklist"]
    return frozenset(ast.literal_eval(number) for mark in marks for number in mark.args)
