"""An example of what a schema describes: a valid value, with the words that a reader knows from the guides."""

from __future__ import annotations

import re
from typing import Any, Final

from ops.contract.forms import Form, Json, Schemas

USER: Final = "0190f2a0-7c1b-7000-8000-000000000001"
OTHER: Final = "0190f2a0-7c1b-7000-8000-000000000009"
_VALUES: Final[dict[str, Any]] = {
    "userId": USER,
    "subject": USER,
    "id": "0190f2a0-8d2c-7000-8000-000000000002",
    "refersTo": None,
    "transactionId": "0190f2a0-8d2c-7000-8000-000000000002",
    "appId": "chat",
    "description": "GPT answer",
    "idempotencyKey": "chat:req-81",
    "reason": "ticket 7",
    "command": "credits.use",
    "amount": 3,
    "balance": 0,
    "balanceBefore": 150,
    "balanceAfter": 147,
    "freeCreditsRemaining": 147,
    "totalEarned": 150,
    "totalSpent": 3,
    "sequence": 2,
    "metadata": {"model": "x"},
    "source": "/mana/credits",
    "datacontenttype": "application/json",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "email": "ada@example.com",
    "password": "correct horse battery",
    "name": "Ada",
    "role": "user",
    "expiresIn": 900,
    "deviceId": "phone-1",
    "deviceName": "phone",
    "code": "123456",
    "currency": "usd",
    "packageId": "starter",
    "stripePriceId": "price_1",
    "token": "eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl",
}
"""By a field's name: these words where its schema has room for them."""
_FORMATS: Final = {
    "uuid": "0190f2a0-7c1b-7000-8000-000000000003",
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "email": "ada@example.com",
    "uri": "https://example.com/",
}
_WORDS: Final = ("text", "1", "123456", "chat", "usd", *_FORMATS.values(), "evt_1", "price_1")
"""Tried one after the other where a pattern asks for something of its own."""


class NoExample(Exception):  # noqa: N818 - says what is missing
    """None of the words that are known here fits that field's schema."""


class Examples:
    """Examples of one document's schemas."""

    def __init__(self, document: Json, **words: Any) -> None:
        self._schemas = Schemas(document)
        self._words = {**_VALUES, **words}

    def of(self, schema: Json | bool, name: str = "") -> Any:
        """A value that fits. Raises `NoExample`, naming the field."""
        forms = self._schemas.forms(schema, "")
        if self._words.get(name, "") is None and any(form.type == "null" for form in forms):
            return None
        form = next((form for form in forms if form.type != "null"), forms[0])
        if "const" in form.keywords:
            values = [one.keywords.get("const") for one in forms]
            return self._words[name] if name in self._words and self._words[name] in values else values[0]
        return self._of_type(form, name)

    def _of_type(self, form: Form, name: str) -> Any:
        keywords, known = form.keywords, self._words.get(name)
        match form.type:
            case "string":
                return self._text(keywords, name)
            case "integer" | "number":
                wanted = known if isinstance(known, int) else 1
                return min(max(wanted, keywords.get("minimum", wanted)), keywords.get("maximum", wanted))
            case "null":
                return None
            case "boolean":
                return known if isinstance(known, bool) else True
            case "array":
                return [self.of(keywords.get("items", True), name)]
            case "object":
                fields: Json = keywords.get("properties", {})
                return {field: self.of(part, field) for field, part in fields.items()} or known or {}
            case _:
                return known or {}

    def _text(self, keywords: Json, name: str) -> str:
        known, form = self._words.get(name), _FORMATS.get(keywords.get("format", ""))
        words = [form] if form else [known] if isinstance(known, str) else []
        shortest = "x" * int(keywords.get("minLength", 0))
        for word in (*words, *_WORDS, shortest):
            if _fits(word, keywords):
                return word
        raise NoExample(
            f"there is no example for the field {name!r} ({keywords}): add its name with a word that fits to _VALUES in"
            f" {__name__}"
        )


def _fits(word: str, keywords: Json) -> bool:
    length = keywords.get("minLength", 0) <= len(word) <= keywords.get("maxLength", len(word))
    refused = keywords.get("not", {}).get("pattern")
    return length and _matches(keywords.get("pattern", ""), word) and not (refused and _matches(refused, word))


def _matches(pattern: str, word: str) -> bool:
    return re.search(pattern, word) is not None
