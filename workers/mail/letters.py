"""The words of letters: a template for each kind and language, as text and as HTML. Pure but for reading its files.

A template's first line is the subject. Paragraphs are parted by empty lines; one that is nothing but the link becomes a
button. The HTML is made of the finished text, so whatever stands in it is escaped.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import Final

from workers.mail.model import Language, Letter

_FOLDER: Final = Path(__file__).parent / "templates"
_LAYOUT: Final = Template((_FOLDER / "layout.html").read_text(encoding="utf-8"))
_NAME_LENGTH_MAX: Final = 100
_UNITS: Final[dict[Language, tuple[tuple[int, str, str], ...]]] = {
    "de": ((86_400, "Tag", "Tage"), (3_600, "Stunde", "Stunden"), (60, "Minute", "Minuten")),
    "en": ((86_400, "day", "days"), (3_600, "hour", "hours"), (60, "minute", "minutes")),
}
_GREETING: Final[dict[Language, str]] = {"de": "Guten Tag", "en": "Hello"}
_CODES_LEFT: Final[dict[Language, str]] = {
    "de": "Unbenutzte Wiederherstellungscodes: {}.",
    "en": "Recovery codes that you have left: {}.",
}
_MOMENT: Final[dict[Language, str]] = {"de": "%d.%m.%Y um %H:%M UTC", "en": "%Y-%m-%d at %H:%M UTC"}


@dataclass(frozen=True)
class Written:
    """A letter in words."""

    language: Language
    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Link:
    """A letter's link and how long it is good."""

    url: str
    life: timedelta


def write(letter: Letter, *, site: str, ordered_at: datetime, link: Link | None) -> Written:
    """The letter in its language; notices tell when what they are about was done."""
    language = letter.language
    fields = {
        "site": site,
        "greeting": f"{_GREETING[language]}{_addressed(letter.name)},",
        "when": ordered_at.strftime(_MOMENT[language]),
        "link": link.url if link else "",
        "life": in_words(link.life, language) if link else "",
        "left": "" if letter.codes_left is None else _CODES_LEFT[language].format(letter.codes_left),
    }
    subject, _, body = _template(letter).substitute(fields).partition("\n")
    text = "\n\n".join(_paragraphs(body)) + "\n"
    page = _LAYOUT.substitute(
        language=language, subject=html.escape(subject), site=html.escape(site), body=_html(text, link)
    )
    return Written(language, subject, text, page)


def in_words(life: timedelta, language: Language) -> str:
    """A duration in the largest unit that it is a whole number of, and in minutes else."""
    seconds = int(life.total_seconds())
    size, one, more = next((unit for unit in _UNITS[language] if seconds % unit[0] == 0), _UNITS[language][-1])
    number = seconds // size
    return f"{number} {one if number == 1 else more}"


def _template(letter: Letter) -> Template:
    return Template((_FOLDER / letter.language / f"{letter.kind}.txt").read_text(encoding="utf-8"))


def _addressed(name: str | None) -> str:
    """The name on one line, since users choose it; nothing where there is none."""
    words = " ".join((name or "").split())[:_NAME_LENGTH_MAX]
    return f" {words}" if words else ""


def _paragraphs(text: str) -> list[str]:
    """Those that hold anything."""
    return [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]


def _html(text: str, link: Link | None) -> str:
    return "\n".join(_paragraph(paragraph, link) for paragraph in _paragraphs(text))


def _paragraph(paragraph: str, link: Link | None) -> str:
    shown = html.escape(paragraph)
    if link is not None and paragraph == link.url:
        return f'<p><a class="button" href="{shown}">{shown}</a></p>'
    return f"<p>{shown}</p>"
