"""A file of packages: YAML, a list with one entry for each. All that is wrong with it is told at once. Pure."""

from __future__ import annotations

from typing import Any, Final

import yaml
from pydantic import ValidationError

from api.credits.packages.declared import ListedPackage
from api.credits.views import Package
from api.text import printable
from api.wording import of_pydantic

_NO_LIST: Final = "is no list of packages, each of which begins with a dash"
Place = tuple[str | int, ...]


class NoPackages(Exception):  # noqa: N818 - says what the file is
    """``complaints`` are sentences, each with the line that it is about."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__(complaints)
        self.complaints = complaints


def read(text: str) -> list[Package]:
    """The packages in the order of the file. Raises ``NoPackages``."""
    try:
        reader = _Reader(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise NoPackages([f"{where}is no YAML: {printable(words)}"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise NoPackages(["it is no YAML that can be read: a character, or its nesting"]) from error
    if reader.complaints:
        raise NoPackages([f"line {line}: {sentence}" for line, sentence in sorted(reader.complaints)])
    return reader.packages


class _Reader:
    """Keeps the line of everything that is read, for the complaints."""

    def __init__(self, text: str) -> None:
        self.complaints: list[tuple[int, str]] = []
        self.packages: list[Package] = []
        self._lines: dict[Place, int] = {}
        self._entry_of: dict[str, int] = {}
        self._seen = set[int]()
        self._loader = yaml.SafeLoader(text)
        try:
            self._read(self._loader.get_single_node())
        finally:
            self._loader.dispose()

    def _read(self, root: yaml.Node | None) -> None:
        if not isinstance(root, yaml.SequenceNode):
            self.complaints.append((1 if root is None else _line(root), _NO_LIST))
            return
        for number, node in enumerate(root.value):
            self._add(number, self._value(node, (number,)))

    def _add(self, number: int, fields: Any) -> None:
        package_id = fields.get("id") if isinstance(fields, dict) else None
        if isinstance(package_id, str):
            first = self._entry_of.setdefault(package_id, number)
            if first != number:
                told = f"id {printable(package_id)} is declared in line {self._lines[first, 'id']} already"
                self.complaints.append((self._lines[number, "id"], told))
        try:
            entry = ListedPackage.model_validate(fields)
        except ValidationError as error:
            self.complaints += [self._complaint(number, entry) for entry in error.errors()]
        else:
            self.packages.append(entry.package(entry.id, number + 1))

    def _complaint(self, number: int, entry: Any) -> tuple[int, str]:
        """Of the line in which the field stands, or else that which it would stand in."""
        loc: Place = entry["loc"]
        place: Place = (number, *loc)
        while place not in self._lines:
            place = place[:-1]
        field = ".".join(map(str, loc)) or "the entry"
        return self._lines[place], f"{printable(field)} {printable(of_pydantic(entry))}"

    def _value(self, node: yaml.Node, place: Place) -> Any:
        """Plain data; what YAML knows besides (times, binary, sets) is no field's type, and is refused as that."""
        self._lines.setdefault(place, _line(node))
        if id(node) in self._seen:
            raise NoPackages([f"line {_line(node)}: is referred to again, which is not read here"])
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, number)) for number, item in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError):
            self.complaints.append((_line(node), f"{printable(str(node.value))} is not what it looks like: quote it"))
            return node.value

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name in fields:
                self.complaints.append((_line(key), f"{printable(name)} is given twice"))
            self._lines[*place, name] = _line(key)
            fields[name] = self._value(value, (*place, name))
        return fields


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1
