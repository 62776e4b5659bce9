"""Our rules, and the alerts among them, as the files have them."""

from __future__ import annotations

from typing import Any

import yaml

from ops.servers.prometheus import FOLDER

RULES = sorted((FOLDER / "rules").glob("*.yml"))


def rules() -> list[dict[str, Any]]:
    """All of them: those that fire, and those that compute beforehand."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """By name, which is each alert's own."""
    found = [rule for rule in rules() if "alert" in rule]
    named = {rule["alert"]: rule for rule in found}
    assert len(named) == len(found)
    return named
