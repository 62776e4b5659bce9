"""Requests as Stripe takes them: form fields whose names nest, ``line_items[0][price]``, and typed reading of them."""

import re
from collections.abc import Iterable

from ops.fakes.stripe.errors import JSON, ApiError, invalid

_NAME = re.compile(r"[^\[\]]+(\[[^\[\]]*\])*")
_METADATA_KEYS_MAX = 50
_METADATA_KEY_MAX = 40
_METADATA_VALUE_MAX = 500


def decode(pairs: Iterable[tuple[str, str]]) -> JSON:
    """The fields as nested mappings; a list is one whose keys are its indices."""
    tree: JSON = {}
    for name, value in pairs:
        if not _NAME.fullmatch(name):
            raise invalid(f"Invalid parameter name: {name}")
        head, *inner = re.split(r"\]\[|\[|\]", name.removesuffix("]"))
        node, key = tree, head
        for part in inner:
            below = node.setdefault(key, {})
            if not isinstance(below, dict):
                raise _two_shapes(name)
            node, key = below, part or str(len(below))
        if isinstance(node.get(key), dict):
            raise _two_shapes(name)
        node[key] = value
    return tree


def _two_shapes(name: str) -> ApiError:
    return invalid(f"Invalid parameters: {name} is given both as a value and as a hash")


class Params:
    """Parameters of one request. What was never asked for by the time of ``done`` is unknown, and refused."""

    def __init__(self, tree: JSON, path: str = "") -> None:
        self._tree = tree
        self._path = path
        self._read: set[str] = set()
        self._inner: list[Params] = []

    def __contains__(self, name: str) -> bool:
        return name in self._tree

    def name(self, name: str) -> str:
        """How the client wrote it."""
        return f"{self._path}[{name}]" if self._path else name

    def text(self, name: str) -> str | None:
        """A string, or None where it was not given; an empty one unsets what it names."""
        self._read.add(name)
        value = self._tree.get(name)
        if isinstance(value, dict):
            raise invalid("Invalid string", param=self.name(name))
        return value

    def need(self, name: str) -> str:
        """A string that has to be there."""
        value = self.text(name)
        if value is None:
            raise self.lacking(name)
        if not value:
            message = f"You passed an empty string for '{self.name(name)}'."
            raise invalid(message, param=self.name(name), code="parameter_invalid_empty")
        return value

    def lacking(self, name: str) -> ApiError:
        """The error for a parameter that is needed and was not given."""
        return invalid(f"Missing required param: {self.name(name)}.", param=self.name(name), code="parameter_missing")

    def whole(self, name: str, least: int = 0) -> int | None:
        """A whole number that is not below ``least``."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,12}", value):
            raise invalid(f"Invalid integer: {value}", param=self.name(name), code="parameter_invalid_integer")
        if int(value) < least:
            message = f"This value must be greater than or equal to {least}."
            raise invalid(message, param=self.name(name), code="parameter_invalid_integer")
        return int(value)

    def flag(self, name: str) -> bool | None:
        """``true`` or ``false``."""
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=self.name(name))
        return None if value is None else value == "true"

    def word(self, name: str, *allowed: str) -> str | None:
        """One of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise invalid(f"Invalid {self.name(name)}: must be one of {', '.join(allowed)}", param=self.name(name))
        return value

    def inner(self, name: str) -> "Params":
        """The parameters below a name; none where it was not given."""
        self._read.add(name)
        tree = self._tree.get(name, {})
        if not isinstance(tree, dict):
            raise invalid(f"Invalid object: {self.name(name)}", param=self.name(name))
        params = Params(tree, self.name(name))
        self._inner.append(params)
        return params

    def each(self, name: str) -> list["Params"]:
        """The members of a list of objects."""
        members = self.inner(name)
        return [members.inner(index) for index in members.indices()]

    def words(self, name: str) -> list[str]:
        """The members of a list of strings."""
        members = self.inner(name)
        return [members.need(index) for index in members.indices()]

    def indices(self) -> list[str]:
        """Keys of a list, in its order."""
        if not all(key.isdecimal() for key in self._tree):
            raise invalid("Invalid array", param=self._path)
        return sorted(self._tree, key=int)

    def metadata(self) -> dict[str, str]:
        """Pairs of the client's own; those with an empty value are to be unset."""
        if self.text_or_tree("metadata") == "":
            return {}
        pairs = self.inner("metadata")
        found = {key: pairs.text(key) or "" for key in pairs.names()}
        if len(found) > _METADATA_KEYS_MAX:
            raise invalid("Metadata can have up to 50 keys", param=self.name("metadata"))
        for key, value in found.items():
            if len(key) > _METADATA_KEY_MAX or len(value) > _METADATA_VALUE_MAX:
                message = "Metadata keys can have up to 40 characters, values up to 500"
                raise invalid(message, param=pairs.name(key))
        return found

    def text_or_tree(self, name: str) -> object:
        """As it came."""
        self._read.add(name)
        return self._tree.get(name)

    def names(self) -> list[str]:
        """All that was given."""
        return list(self._tree)

    def done(self) -> None:
        """Refuses what nobody asked for."""
        for name in self._tree:
            if name not in self._read:
                unknown = self.name(name)
                raise invalid(f"Received unknown parameter: {unknown}", param=unknown, code="parameter_unknown")
        for params in self._inner:
            params.done()


def merged(present: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Metadata after an update: new pairs added, those that came empty gone."""
    return {key: value for key, value in {**present, **given}.items() if value}
