"""What is to be done so that the packages that are kept are those that are declared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from api.credits.views import Package
from api.text import printable

Kind = Literal["new", "changed", "brought back", "retired", "unchanged"]
Value = int | str | None

DETAILS_BYTES_MAX: Final = 4_000
"""Of what a security event tells, which the database takes 4 096 bytes of."""
_TOLD_CHARACTERS_MAX: Final = 400


@dataclass(frozen=True)
class FieldChange:
    """A field by its name on the wire, dots leading to a currency; ``None`` where it is not set."""

    field: str
    old: Value
    new: Value


@dataclass(frozen=True)
class Change:
    """What becomes of one package."""

    kind: Kind
    id: str
    fields: tuple[FieldChange, ...] = ()


def compare(old: Package | None, new: Package) -> Change:
    """What makes the one of the other."""
    before, after = {} if old is None else _flat(old), _flat(new)
    fields = tuple(
        FieldChange(name, before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    )
    return Change(_kind(old, new, fields), new.id, fields)


def differ(known: Iterable[Package], declared: Sequence[Package]) -> list[Change]:
    """For each declared package, in their order, then for those that are retired by not being declared."""
    by_id = {package.id: package for package in known}
    wanted = {package.id for package in declared}
    left_out = [package for package in by_id.values() if package.active and package.id not in wanted]
    return [
        *(compare(by_id.get(package.id), package) for package in declared),
        *(compare(package, retired(package)) for package in left_out),
    ]


def retired(package: Package) -> Package:
    """The same, not to be bought any more."""
    return msgspec.structs.replace(package, active=False)


def details(change: Change) -> Iterator[Mapping[str, Any]]:
    """What security events tell of a change: more than one where it is too long for one."""
    told = [(item.field, _shortened(item.old), _shortened(item.new)) for item in change.fields]
    while True:
        event, told = _one_event(change, told)
        yield event
        if not told:
            return


def _one_event(
    change: Change, told: Sequence[tuple[str, Value, Value]]
) -> tuple[Mapping[str, Any], Sequence[tuple[str, Value, Value]]]:
    """As many of the fields as fit, one at least; and the others."""
    fitting = _event(change, told[:1])
    for count in range(2, len(told) + 1):
        longer = _event(change, told[:count])
        if len(msgspec.json.encode(longer)) > DETAILS_BYTES_MAX:
            return fitting, told[count - 1 :]
        fitting = longer
    return fitting, ()


def _event(change: Change, told: Sequence[tuple[str, Value, Value]]) -> Mapping[str, Any]:
    old = {name: value for name, value, _ in told if value is not None}
    new = {name: value for name, _, value in told if value is not None}
    return {"package": change.id, "change": change.kind, "old": old, "new": new}


def _shortened(value: Value) -> Value:
    return printable(value, _TOLD_CHARACTERS_MAX) if isinstance(value, str) else value


def _kind(old: Package | None, new: Package, fields: Sequence[FieldChange]) -> Kind:
    if old is None:
        return "new"
    if old.active != new.active:
        return "brought back" if new.active else "retired"
    return "changed" if fields else "unchanged"


def _flat(package: Package) -> dict[str, Value]:
    """The fields but for id and whether it can be bought, each currency with fields of its own."""
    fields: dict[str, Any] = msgspec.to_builtins(package)
    for name in ("id", "active", "otherPrices"):
        del fields[name]
    for price in package.other_prices:
        fields[f"otherPrices.{price.currency}"] = price.amount
        fields[f"otherPrices.{price.currency}.stripePriceId"] = price.stripe_price_id
    return fields
