"""Whether a password is too easy to guess: common, or made from what everybody knows of its user.

Lists and context, not scores (OWASP ASVS 5.0, 6.2.4 and 6.2.11; NIST SP 800-63B, 3.1.1.2). Each rule is for passwords
of at least twelve characters; those are what guessers try first, by adding to short ones and by repeating.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from api.auth.emails import Email

_AROUND_MAX: Final = 5
"""So many characters around a common or repetitive password do not make it a good one."""
_UNIT_MAX: Final = 6
"""Characters of a unit that, however often repeated, makes no good password."""
_RUN_MEAN: Final = 4
"""A password is guessed by its runs where they have so many characters each, in the mean."""
_WORD_MIN: Final = 4
"""Letters that a name, or a part of an address, must have to be looked for."""
_BESIDES_MIN: Final = 8
"""Characters that a password must have besides its user's own words."""

_LINES: Final = (
    *("0123456789" * 2, "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm"),
    *("azertyuiopqsdfghjklmwxcvbn", "1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/"),
)
_NEIGHBOURS: Final = "\n".join((*_LINES, *(line[::-1] for line in _LINES)))
_LEET: Final = tuple(str.maketrans(digits, letters) for digits, letters in (("013457@$!+", "oleastasit"), ("1", "i")))
_WORD: Final = re.compile(r"[^\W\d_]+")


def _listed() -> frozenset[str]:
    lines = (Path(__file__).parent / "common.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


_COMMON: Final = _listed()


def weakness(password: str, email: Email, name: str | None, site: str) -> str | None:
    """What is wrong with the password of that user of that site, as the end of a sentence; ``None`` where it may be.

    Its length was looked at before.
    """
    text = _folded(password)
    spellings = _spellings(text)
    if any(part in _COMMON for spelling in spellings for part in _parts(spelling)):
        return "is a common one, or little more than that"
    if any(_repeats(part) for part in _parts(text)):
        return "repeats itself"
    if _runs(text) * _RUN_MEAN <= len(text):
        return "is made of neighbouring keys, letters or digits"
    own = _own_words(email, name, site)
    if any(_is_little_besides(spelling, own) for spelling in spellings):
        return "is little more than your name, your address or this site's name"
    return None


def _folded(text: str) -> str:
    """Without case and accents; a character stays one, or none: ``_AROUND_MAX`` counts those that were typed."""
    return "".join(map(_folded_letter, unicodedata.normalize("NFC", text)))


def _folded_letter(letter: str) -> str:
    if unicodedata.combining(letter):
        return ""
    bare = "".join(part for part in unicodedata.normalize("NFKD", letter.casefold()) if not unicodedata.combining(part))
    return bare if len(bare) == 1 else letter


def _spellings(text: str) -> list[str]:
    """The text as it is, and with digits and signs read as the letters that they often stand for."""
    letters = text.translate(_LEET[0])
    return [text, letters, text.translate(_LEET[1]).translate(_LEET[0])]


def _parts(text: str) -> Iterator[str]:
    """The text without so few characters at its ends, the whole of it among them."""
    for before in range(_AROUND_MAX + 1):
        for after in range(_AROUND_MAX + 1 - before):
            yield text[before : len(text) - after]


def _repeats(text: str) -> bool:
    """Whether the text is a short or a common unit again and again; its last repetition may be cut off."""
    for size in range(1, len(text) // 2 + 1):
        if text[size:] == text[:-size]:
            return size <= _UNIT_MAX or text[:size] in _COMMON
    return False


def _runs(text: str) -> int:
    """Into how few pieces the text falls, each of one character repeated or of neighbours in a row."""
    runs, start = 0, 0
    while start < len(text):
        start += max(_same(text, start), _neighbours(text, start))
        runs += 1
    return runs


def _same(text: str, start: int) -> int:
    return len(text) - start - len(text[start:].lstrip(text[start]))


def _neighbours(text: str, start: int) -> int:
    size = 1
    while start + size < len(text) and text[start : start + size + 1] in _NEIGHBOURS:
        size += 1
    return size


def _own_words(email: Email, name: str | None, site: str) -> list[str]:
    """What everybody knows of the user and the site, the longest first."""
    local = email.key.rpartition("@")[0]
    wholes = (email.key, local, _folded(name or ""), _folded(site))
    words = {part for whole in wholes for part in (whole, whole.replace(" ", ""), *_WORD.findall(whole))}
    return sorted((word for word in words if len(word) >= _WORD_MIN), key=lambda word: (-len(word), word))


def _is_little_besides(text: str, words: Iterable[str]) -> bool:
    """Whether the text holds any of the words, and not much else; digits for letters are read in both alike."""
    rest = text
    for word in words:
        for spelling in _spellings(word):
            rest = rest.replace(spelling, "")
    return rest != text and len(rest) < _BESIDES_MIN
