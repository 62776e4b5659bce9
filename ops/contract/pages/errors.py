"""The table of error codes."""

from __future__ import annotations

from ops.contract.forms import Json
from ops.contract.pages import html


def section(error_codes: Json, *, over_amqp: bool) -> list[str]:
    """All codes, or those alone that also come over AMQP."""
    rows = [
        (html.code(code), str(told["restStatus"]), "yes" if told["amqp"] else "")
        for code, told in error_codes["x-codes"].items()
        if told["amqp"] or not over_amqp
    ]
    return [
        html.heading(2, "Error codes", "error-codes"),
        "<p>Programs go by the code; more may come. Treat one that you do not know as its REST status says.</p>",
        html.table(("code", "status over REST", "over AMQP"), rows),
    ]
