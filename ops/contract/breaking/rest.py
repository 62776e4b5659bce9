"""Compares two OpenAPI 3.1 documents: operations, parameters, bodies, answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ops.contract.breaking.schemas import Break, Comparison, Json, token

_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")


def breaks(old: Json, new: Json) -> list[Break]:
    """What the new document breaks of the old one."""
    return list(dict.fromkeys(_Documents(old, new).breaks()))


class _Documents:
    def __init__(self, old: Json, new: Json) -> None:
        self._old, self._new = old, new
        self._sent, self._received = Comparison(old, new, "sent"), Comparison(old, new, "received")

    def breaks(self) -> Iterator[Break]:
        for path, old in self._old["paths"].items():
            pointer = f"/paths/{token(path)}"
            new: Json = self._new["paths"].get(path, {})
            for method in _METHODS:
                if method in old and method not in new:
                    yield Break(f"{pointer}/{method}", "the operation is gone")
                elif method in old:
                    yield from self._operation(_whole(old, method), _whole(new, method), f"{pointer}/{method}")

    def _operation(self, old: Json, new: Json, pointer: str) -> Iterator[Break]:
        if old.get("operationId") != new.get("operationId"):
            why = f"was {old.get('operationId')} and is {new.get('operationId')}: programs made from it call it so"
            yield Break(f"{pointer}/operationId", why)
        if not _still_let_in(old.get("security") or [{}], new.get("security") or [{}]):
            yield Break(f"{pointer}/security", "what was enough to be let in is so no longer")
        yield from self._parameters(old, new, f"{pointer}/parameters")
        yield from self._body(old, new, f"{pointer}/requestBody")
        yield from self._answers(old["responses"], new["responses"], f"{pointer}/responses")

    def _parameters(self, old: Json, new: Json, pointer: str) -> Iterator[Break]:
        before, after = _by_name(old), _by_name(new)
        for key, parameter in before.items():
            said = f"`{parameter['name']}` in {parameter['in']}"
            if key not in after:
                yield Break(pointer, f"{said} is gone")
                continue
            index, now = after[key]["x-index"], after[key]
            if now.get("required", False) and not parameter.get("required", False):
                yield Break(f"{pointer}/{index}/required", f"{said} is required now")
            yield from self._sent.schemas(
                parameter.get("schema", True), now.get("schema", True), f"{pointer}/{index}/schema"
            )
        for key, parameter in after.items():
            if key not in before and parameter.get("required", False):
                yield Break(
                    f"{pointer}/{parameter['x-index']}",
                    f"`{parameter['name']}` in {parameter['in']} is new and required",
                )

    def _body(self, old: Json, new: Json, pointer: str) -> Iterator[Break]:
        before, after = old.get("requestBody"), new.get("requestBody")
        if before is None:
            if after is not None and after.get("required", False):
                yield Break(pointer, "a body is required now")
            return
        if after is None:
            yield Break(pointer, "no body is accepted any more")
            return
        if after.get("required", False) and not before.get("required", False):
            yield Break(f"{pointer}/required", "a body is required now")
        for kind, content in before["content"].items():
            where = f"{pointer}/content/{token(kind)}"
            if kind not in after["content"]:
                yield Break(where, "this type of content is refused now")
            else:
                now = after["content"][kind]
                yield from self._sent.schemas(content.get("schema", True), now.get("schema", True), f"{where}/schema")

    def _answers(self, old: Json, new: Json, pointer: str) -> Iterator[Break]:
        """Of errors, which clients know by their code, any may be new or no longer come."""
        for status in sorted({*old, *new}):
            where = f"{pointer}/{status}"
            if status in old and status in new:
                yield from self._answer(old[status], new[status], where)
            elif _is_success(status):
                yield Break(where, "this answer never comes any more" if status in old else "this answer may come now")

    def _answer(self, old: Json, new: Json, pointer: str) -> Iterator[Break]:
        for name in old.get("headers", {}):
            if name not in new.get("headers", {}):
                yield Break(f"{pointer}/headers/{name}", "the header is gone")
        before, after = old.get("content", {}), new.get("content", {})
        for kind in sorted({*before, *after}):
            where = f"{pointer}/content/{token(kind)}"
            if kind in before and kind in after:
                was, now = before[kind].get("schema", True), after[kind].get("schema", True)
                yield from self._received.schemas(was, now, f"{where}/schema")
            elif kind in before or before:
                yield Break(where, "never comes any more" if kind in before else "this type of content may come now")


def _whole(path: Json, method: str) -> Json:
    """The operation with its path's own parameters."""
    operation: Json = path[method]
    return {**operation, "parameters": [*operation.get("parameters", []), *path.get("parameters", [])]}


def _by_name(operation: Json) -> dict[tuple[str, str], Any]:
    return {
        (parameter["in"], parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]): {
            **parameter,
            "x-index": index,
        }
        for index, parameter in enumerate(operation["parameters"])
    }


def _still_let_in(before: list[dict[str, list[str]]], after: list[dict[str, list[str]]]) -> bool:
    """Whether each way of showing who one is meets one that asks for no more."""
    return all(any(_asks_no_more(now, was) for now in after) for was in before)


def _asks_no_more(now: dict[str, list[str]], was: dict[str, list[str]]) -> bool:
    return all(name in was and set(scopes) <= set(was[name]) for name, scopes in now.items())


def _is_success(status: str) -> bool:
    return status[0] in "23"
