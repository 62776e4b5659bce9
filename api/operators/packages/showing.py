"""What is to be done to the packages, and the packages themselves, as an operator reads them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
import yaml

from api.credits.packages.differing import Change, Kind, Value
from api.credits.views import Package
from api.text import printable

_KINDS: Final[tuple[Kind, ...]] = ("new", "changed", "brought back", "retired", "unchanged")
_WIDTH: Final = max(map(len, _KINDS)) + 2
_HEAD: Final = "# What can be bought; ./mana packages apply takes this file."


def differences(changes: Sequence[Change]) -> str:
    """A line for each package, below it one for each field that changes, and how many there are of each kind."""
    lines = [line for change in changes for line in _lines(change)]
    if all(change.kind == "unchanged" for change in changes):
        return "\n".join([*lines, "Nothing to change."])
    counts = Counter(change.kind for change in changes)
    return "\n".join([*lines, ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS if counts[kind])])


def _lines(change: Change) -> Iterator[str]:
    yield f"{change.kind:{_WIDTH}}{change.id}"
    for item in change.fields:
        before = "" if change.kind == "new" else f"{_shown(item.old)} → "
        if change.kind != "new" or item.new is not None:
            yield f"{'':{_WIDTH}}{item.field}: {before}{_shown(item.new)}"


def _shown(value: Value) -> str:
    return "none" if value is None else printable(str(value))


def as_file(packages: Iterable[Package]) -> str:
    """What ``reading`` reads as the same packages; those that are retired stand in it as comments."""
    listed = [*packages]
    active = [_declared(package) for package in listed if package.active]
    text = yaml.safe_dump(active, sort_keys=False, allow_unicode=True, width=1_000) if active else "[]\n"
    gone = "".join(
        f"# retired: {package.id}: {printable(package.name)}, {package.credits} credits for"
        f" {package.price_euro_cents} euro cents\n"
        for package in listed
        if not package.active
    )
    return f"{_HEAD}\n{text}{gone}"


def _declared(package: Package) -> dict[str, Any]:
    """Without what is not set."""
    fields: dict[str, Any] = msgspec.to_builtins(package)
    del fields["active"]
    fields["otherPrices"] = [_set(price) for price in fields["otherPrices"]]
    return _set(fields)


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != []}
