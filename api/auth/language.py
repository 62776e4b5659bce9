"""The language that mails are written in: what the browser prefers of those that there are."""

from __future__ import annotations

from typing import Final

from api.auth.model import Language

_LANGUAGES: Final[tuple[Language, ...]] = ("de", "en")
_DEFAULT: Final[Language] = "en"
_READ_MAX: Final = 200
"""Characters of the header that are looked at."""


def preferred(accept_language: str | None) -> Language:
    """Reads an ``Accept-Language`` header (RFC 9110, 12.5.4); English where it names none of ours or makes no sense."""
    weights: dict[Language, float] = {}
    for part in (accept_language or "")[:_READ_MAX].split(","):
        tag, _, weight = part.strip().partition(";")
        for language in _LANGUAGES:
            if tag.strip().lower().split("-")[0] == language:
                weights[language] = max(weights.get(language, 0.0), _weight(weight))
    best: Language = _DEFAULT
    for language, weight in weights.items():
        if weight > weights.get(best, 0.0):
            best = language
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if not parameter.strip():
        return 1.0
    try:
        return min(1.0, max(0.0, float(value))) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
