"""Bodies that are commands, and bodies that are none: the table that decoding and the schemas are both held to."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

USER: Final = "0190f2a0-7c1b-7000-8000-000000000001"
OTHER_USER: Final = "0190f2a0-7c1b-7000-8000-000000000002"
TOKEN: Final = "amq.rabbitmq.reply-to.g1h2AA5yZXBseUAyMTQ3MTQyOAAAA5oAAAAAawT3OQ==.RUL3TOpHKfEP5ebes25Z9g=="
"""A real direct reply-to token, of RabbitMQ 3.10.8."""

Body = dict[str, Any]

USE: Final[Body] = {
    "userId": USER,
    "amount": 3,
    "appId": "chat",
    "description": "GPT answer",
    "idempotencyKey": "req-81",
    "metadata": {"model": "x"},
}
MINIMAL: Final[dict[str, Body]] = {
    "credits.use": {key: value for key, value in USE.items() if key != "metadata"},
    "credits.refund": {"userId": USER, "transactionId": OTHER_USER, "idempotencyKey": "r-1"},
    "credits.grant": {
        "userId": USER,
        "amount": 5,
        "description": "spring",
        "source": "promotion",
        "idempotencyKey": "g-1",
    },
    "credits.adjust": {
        "userId": USER,
        "amount": -5,
        "description": "a slip",
        "reason": "ticket 7",
        "idempotencyKey": "a-1",
    },
    "account.open": {"userId": USER, "idempotencyKey": "o-1"},
    "account.freeze": {"userId": USER, "reason": "fraud", "idempotencyKey": "f-1"},
    "account.unfreeze": {"userId": USER, "reason": "cleared", "idempotencyKey": "u-1"},
    "account.threshold": {"userId": USER, "below": 50, "idempotencyKey": "t-1"},
    "credits.balance": {"userId": USER},
}
"""For each command of the contract a body with what is required and no more."""

PAYMENT: Final[Body] = {"amount": 500, "currency": "eur", "paymentIntentId": "pi_1"}
REFUND: Final[Body] = {"id": "re_1", "amount": 200, "state": "succeeded"}
DISPUTE: Final[Body] = {"id": "dp_1", "amount": 500, "state": "open"}
OF_PAYMENTS: Final[dict[str, Body]] = {
    "credits.purchase": {"userId": USER, "purchaseId": OTHER_USER, "paid": PAYMENT, "idempotencyKey": "stripe:p"},
    "credits.clawback": {"userId": USER, "purchaseId": OTHER_USER, "refund": REFUND, "idempotencyKey": "stripe:r"},
    "credits.thaw": {
        "userId": USER,
        "purchaseId": OTHER_USER,
        "refund": {**REFUND, "state": "failed"},
        "idempotencyKey": "stripe:f",
    },
}
"""The same for what only our own worker sends."""


class Case(Struct, frozen=True):
    """A change to a command's minimal body, and the field that must be named where the result is no command.

    ``in_schema`` is false for what only the code can tell.
    """

    name: str
    type: str
    change: Body
    field: str | None = None
    in_schema: bool = True


def body_of(case: Case) -> Body:
    """The case's body; a field that is changed to ``...`` is left out."""
    body = {**MINIMAL[case.type], **case.change}
    return {name: value for name, value in body.items() if value is not ...}


def deep(levels: int) -> Any:
    """An object of so many levels."""
    value: Any = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


VALID: Final = (
    *(Case(f"minimal {name}", name, {}) for name in MINIMAL),
    Case("the least", "credits.use", {"amount": 1, "description": "d", "appId": "a", "idempotencyKey": "k"}),
    Case("the most", "credits.use", {"amount": 10**9, "appId": "a" * 64, "idempotencyKey": "k" * 200}),
    Case("the longest description", "credits.use", {"description": "é" * 500}),
    Case("any Unicode", "credits.use", {"description": "\U0001f600 \u200b \ufffd\n\x7f\x01 \ufffe", "appId": "A_z-9"}),
    Case("a key that only looks reserved", "credits.use", {"idempotencyKey": "Daily:1"}),
    Case("a key that holds a prefix", "credits.use", {"idempotencyKey": "x-daily:1"}),
    Case("no metadata", "credits.use", {"metadata": None}),
    Case("empty metadata", "credits.use", {"metadata": {}}),
    Case("metadata of 8 KiB", "credits.use", {"metadata": {"k": "x" * (8 * 1024 - 8)}}),
    Case("metadata of 8 KiB, escaped on the wire", "credits.use", {"metadata": {"k": "é" * (4 * 1024 - 4)}}),
    Case("metadata of 100 levels", "credits.use", {"metadata": deep(100)}),
    Case("metadata of any kinds", "credits.use", {"metadata": {"a": [1, 2.5, True, None, "x", {"b": 10**40}]}}),
    Case("a part", "credits.refund", {"amount": 1, "description": "half", "metadata": {"a": 1}}),
    Case("no part", "credits.refund", {"amount": None, "description": None}),
    Case("a bonus for ever", "credits.grant", {"source": "bonus", "expiresAt": None}),
    Case("a promotion with an end", "credits.grant", {"expiresAt": "2027-01-01T00:00:00+02:00"}),
    Case("upwards", "credits.adjust", {"amount": 10**9}),
    Case("downwards", "credits.adjust", {"amount": -(10**9)}),
    Case("no bonus", "account.open", {"signupBonus": False}),
    Case("no threshold", "account.threshold", {"below": None}),
    Case("the highest threshold", "account.threshold", {"below": 10**9}),
)

INVALID: Final = (
    *(Case(f"{name} without {field}", name, {field: ...}, field) for name, body in MINIMAL.items() for field in body),
    *(Case(f"{name} with an unknown field", name, {"colour": "red"}, "colour") for name in MINIMAL),
    *(
        Case(f"amount {amount!r}", "credits.use", {"amount": amount}, "amount")
        for amount in ("3", 3.5, True, None, [3], {}, 0, -1, 10**9 + 1, 2**63, 2**64, 2**70, -(2**70), 10**4000, 1e300)
    ),
    Case("amount 3.0", "credits.use", {"amount": 3.0}, "amount", in_schema=False),
    Case("adjusted by 0", "credits.adjust", {"amount": 0}, "amount"),
    Case("adjusted too far up", "credits.adjust", {"amount": 10**9 + 1}, "amount"),
    Case("adjusted too far down", "credits.adjust", {"amount": -(10**9) - 1}, "amount"),
    Case("refund of 0", "credits.refund", {"amount": 0}, "amount"),
    Case("empty description", "credits.use", {"description": ""}, "description"),
    Case("description of 501", "credits.use", {"description": "x" * 501}, "description"),
    Case("description null", "credits.use", {"description": None}, "description"),
    Case("NUL in the description", "credits.use", {"description": "a\0b"}, "description"),
    Case("surrogate in the description", "credits.use", {"description": "a\ud800b"}, "description", in_schema=False),
    Case("low surrogate alone", "credits.use", {"description": "\udc00"}, "description", in_schema=False),
    Case("empty key", "credits.use", {"idempotencyKey": ""}, "idempotencyKey"),
    Case("key of 201", "credits.use", {"idempotencyKey": "k" * 201}, "idempotencyKey"),
    Case("key null", "credits.use", {"idempotencyKey": None}, "idempotencyKey"),
    Case("key a number", "credits.use", {"idempotencyKey": 7}, "idempotencyKey"),
    Case("NUL in the key", "credits.use", {"idempotencyKey": "a\0"}, "idempotencyKey"),
    Case("surrogate in the key", "credits.use", {"idempotencyKey": "\ud800"}, "idempotencyKey", in_schema=False),
    *(
        Case(f"key {prefix}x", name, {"idempotencyKey": f"{prefix}x"}, "idempotencyKey")
        for prefix in ("daily:", "stripe:", "expiry:", "mana:")
        for name in ("credits.use", "account.open")
    ),
    *(
        Case(f"appId {app!r}", "credits.use", {"appId": app}, "appId")
        for app in ("", "a" * 65, "a b", "a.b", "é", "chat\n", None, 1, "a\0")
    ),
    *(
        Case(f"userId {user!r}", "credits.use", {"userId": user}, "userId")
        for user in ("", "x", USER.upper(), USER + "\n", USER.replace("-", ""), f"{{{USER}}}", None, 5, " " + USER)
    ),
    Case("transactionId", "credits.refund", {"transactionId": "1"}, "transactionId"),
    Case("an unknown source", "credits.grant", {"source": "purchase"}, "source"),
    Case("expiresAt without an offset", "credits.grant", {"expiresAt": "2027-01-01T00:00:00"}, "expiresAt"),
    Case("expiresAt a number", "credits.grant", {"expiresAt": 1700000000}, "expiresAt"),
    Case("expiresAt no time", "credits.grant", {"expiresAt": "tomorrow"}, "expiresAt"),
    Case("expiresAt no day", "credits.grant", {"expiresAt": "2027-02-30T00:00:00Z"}, "expiresAt"),
    Case("expiresAt before the calendar", "credits.grant", {"expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
    Case("signupBonus a word", "account.open", {"signupBonus": "true"}, "signupBonus"),
    Case("signupBonus null", "account.open", {"signupBonus": None}, "signupBonus"),
    Case("reason of 501", "account.freeze", {"reason": "x" * 501}, "reason"),
    Case("NUL in the reason", "account.freeze", {"reason": "\0"}, "reason"),
    *(
        Case(f"below {below!r}", "account.threshold", {"below": below}, "below")
        for below in (0, -1, 10**9 + 1, "5", 1.5)
    ),
    Case("a key for a reading", "credits.balance", {"idempotencyKey": "k"}, "idempotencyKey"),
    *(
        Case(f"metadata {value!r}", "credits.use", {"metadata": value}, "metadata")
        for value in ([], "x", 1, True, [{}])
    ),
    Case("metadata over 8 KiB", "credits.use", {"metadata": {"k": "x" * (8 * 1024 - 7)}}, "metadata", False),
    Case("metadata over 8 KiB in UTF-8", "credits.use", {"metadata": {"k": "é" * 4093}}, "metadata", False),
    Case("metadata of 101 levels", "credits.use", {"metadata": deep(101)}, "metadata", False),
    Case("NUL in metadata", "credits.use", {"metadata": {"a": ["x\0"]}}, "metadata", False),
    Case("NUL in a name in metadata", "credits.use", {"metadata": {"a": {"\0": 1}}}, "metadata", False),
    Case("surrogate in metadata", "credits.use", {"metadata": {"a": "\ud800"}}, "metadata", False),
)
