"""The alerts of our rules, as the files have them."""

from __future__ import annotations

from typing import Any

import yaml

from ops.servers.prometheus import FOLDER

RULES = sorted((FOLDER / "rules").glob("*.yml"))


def alerts() -> dict[str, dict[str, Any]]:
    """By name, which is each alert's own."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    rules = [rule for file in files for group in file["groups"] for rule in group["rules"] if "alert" in rule]
    named = {rule["alert"]: rule for rule in rules}
    assert len(named) == len(rules)
    return named
