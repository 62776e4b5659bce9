"""Reading replies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mana_client.errors import ManaError, OutcomeUnknown, refusal_of
from mana_client.results import Balance, Result, read_balance, read_transaction


def read_reply(body: bytes, key: str | None) -> dict[str, Any]:
    """A reply that says "ok". Raises the ledger's refusal; for what is no reply at all as ``no_reply`` says."""
    try:
        reply = json.loads(body)
        if reply["ok"] is True:
            return reply
        error = reply["error"]
        refusal = refusal_of(error["code"], error["message"], error["details"])
    except (ValueError, KeyError, TypeError) as error:
        raise no_reply(body, key) from error
    raise refusal


def result_of(reply: Mapping[str, Any], key: str) -> Result:
    """The result of a command that writes. Raises ``OutcomeUnknown`` for another reply."""
    try:
        return Result(read_transaction(reply["transaction"]), read_balance(reply["balance"]), reply["replayed"])
    except (ValueError, KeyError, TypeError) as error:
        raise no_reply(reply, key) from error


def balance_of(reply: Mapping[str, Any]) -> Balance:
    """The balance that was read. Raises ``ManaError`` for another reply."""
    try:
        return read_balance(reply["balance"])
    except (KeyError, TypeError) as error:
        raise no_reply(reply, None) from error


def no_reply(what: object, key: str | None) -> ManaError:
    """What came back does not fit the contract: of what writes, under a key, it is not known what became of it."""
    said = f"this is no reply of the contract: {str(what)[:300]}"
    return ManaError(said) if key is None else OutcomeUnknown(key, said)
