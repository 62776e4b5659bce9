"""The commands as a client writes them, by hand: names of the wire and nothing else."""

from __future__ import annotations

import json
from typing import Any, Final

EXCHANGE: Final = "credits.commands"

TYPES: Final = {
    "use": "credits.use",
    "refund": "credits.refund",
    "grant": "credits.grant",
    "adjust": "credits.adjust",
    "open": "account.open",
    "freeze": "account.freeze",
    "unfreeze": "account.unfreeze",
    "balance": "credits.balance",
}
"""The short names that journals use, and what stands in the message's property ``type``."""

_FIELDS: Final[dict[str, dict[str, Any]]] = {
    "use": {"description": "a use"},
    "refund": {},
    "grant": {"description": "a gift", "source": "bonus"},
    "adjust": {"description": "a correction", "reason": "a test of faults"},
    "open": {},
    "freeze": {"reason": "a test of faults"},
    "unfreeze": {"reason": "a test of faults"},
    "balance": {},
}

ROW_TYPES: Final = {"use": "usage", "refund": "refund", "grant": "bonus", "adjust": "adjustment", "open": "bonus"}
"""What a transaction is called that such a command makes; freezing makes none."""


def body(op: str, user: str, key: str, amount: int | None, app: str, extra: dict[str, Any] | None) -> str:
    """A command's body; ``extra`` fields go over those that are set here."""
    fields: dict[str, Any] = {"userId": user, **_FIELDS[op]}
    if op != "balance":
        fields["idempotencyKey"] = key
    if amount is not None:
        fields["amount"] = amount
    if op == "use":
        fields["appId"] = app
    return json.dumps({**fields, **(extra or {})}, separators=(",", ":"))


def signed(op: str, amount: int | None) -> int | None:
    """What a transaction of this command adds to the account; ``None`` where the command leaves that to the ledger."""
    return -amount if op == "use" and amount is not None else amount
