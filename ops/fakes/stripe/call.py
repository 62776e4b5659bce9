"""One request to the API as its endpoint sees it, and the paging and expanding that all of them share."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from ops.fakes.stripe.account import Account, Cause
from ops.fakes.stripe.errors import JSON, invalid, missing
from ops.fakes.stripe.forms import Params

_LIMIT_DEFAULT = 10
_LIMIT_MAX = 100
_DEPTH_MAX = 4


@dataclass(frozen=True)
class Call:
    """Who asks, for what, and by which request."""

    account: Account
    params: Params
    ids: dict[str, str]
    """What the path names."""
    cause: Cause
    path: str


Endpoint = Callable[[Call], JSON]
Extra = Callable[[Account, JSON], JSON]
"""What an object shows only to those who ask for it by ``expand[]``."""


def page(call: Call, rows: list[JSON]) -> JSON:
    """One page of a list, the newest first; refuses parameters that nobody asked for."""
    params = call.params
    limit = params.whole("limit", 1) or _LIMIT_DEFAULT
    if limit > _LIMIT_MAX:
        raise invalid("This value must be less than or equal to 100.", param="limit")
    after, before = params.text("starting_after"), params.text("ending_before")
    rows = _created(params, rows)
    params.done()
    if after is not None:
        rows = rows[_position(rows, after, "starting_after") + 1 :]
    if before is not None:
        rows = rows[: _position(rows, before, "ending_before")]
        data = rows[-limit:]
    else:
        data = rows[:limit]
    return {"object": "list", "data": data, "has_more": len(rows) > len(data), "url": call.path}


def _position(rows: list[JSON], name: str, param: str) -> int:
    for position, row in enumerate(rows):
        if row["id"] == name:
            return position
    raise missing("object", name, param=param, status=400)


def _created(params: Params, rows: list[JSON]) -> list[JSON]:
    """Only what was made at the time, or between the times, that are asked for."""
    if not isinstance(params.text_or_tree("created"), dict):
        exactly = params.whole("created")
        return [row for row in rows if exactly is None or row["created"] == exactly]
    bounds = params.inner("created")
    above, least = bounds.whole("gt"), bounds.whole("gte")
    below, most = bounds.whole("lt"), bounds.whole("lte")
    return [
        row
        for row in rows
        if (above is None or row["created"] > above)
        and (least is None or row["created"] >= least)
        and (below is None or row["created"] < below)
        and (most is None or row["created"] <= most)
    ]


def listing(url: str, rows: list[JSON]) -> JSON:
    """A list inside of an object, whole."""
    return {"object": "list", "data": rows, "has_more": False, "url": url}


def expanded(account: Account, answer: JSON, paths: list[str], extras: dict[tuple[str, str], Extra]) -> JSON:
    """The answer with the objects that are asked for in place of their ids."""
    whole = copy.deepcopy(answer)
    for path in paths:
        parts = path.split(".")
        if len(parts) > _DEPTH_MAX:
            raise invalid("You cannot expand more than 4 levels of a property", param="expand")
        _expand(account, whole, parts, path, extras)
    return whole


def _expand(account: Account, node: JSON, parts: list[str], path: str, extras: dict[tuple[str, str], Extra]) -> None:
    name, *rest = parts
    if node.get("object") == "list" and name == "data":
        below: list[JSON] = node["data"]
    else:
        extra = extras.get((str(node.get("object")), name))
        if extra is not None:
            node[name] = copy.deepcopy(extra(account, node))
        below = _filled(account, node, name, path)
    for thing in below if rest else []:
        _expand(account, thing, rest, path, extras)


def _filled(account: Account, node: JSON, name: str, path: str) -> list[JSON]:
    """Puts the object in place of its id, and answers with it; with none where the field is null."""
    value = node.get(name)
    found = account.find(value) if isinstance(value, str) else value
    if name not in node or (value is not None and not isinstance(found, dict)):
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    if found is None:
        return []
    node[name] = copy.deepcopy(found)
    return [node[name]]
