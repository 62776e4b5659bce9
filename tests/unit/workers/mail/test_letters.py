"""The words of letters: all kinds in both languages, and nothing of a user's that becomes more than text."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.mails import MailKind
from tests.unit.workers.mail.examples import ADA, ORDERED_AT
from workers.mail.letters import Link, Written, in_words, write
from workers.mail.model import Language, Letter, Page

LINK = Link("https://mana.example/reset-password#token=abc-_", timedelta(minutes=30))
PAGES: dict[str, Page] = {
    "verify": "verify-email",
    "verify_requested": "verify-email",
    "reset_requested": "reset-password",
    "change_requested": "confirm-email",
}


def _written(kind: MailKind, language: Language, name: str | None = "Ada", site: str = "Mana") -> Written:
    page = PAGES.get(kind)
    letter = Letter(kind, "ada@example.com", language, ADA, name, page)
    return write(letter, site=site, ordered_at=ORDERED_AT, link=LINK if page else None)


class _Reader(HTMLParser):
    """What a reader of HTML sees: text, and where links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.text += data


def _read(written: Written) -> _Reader:
    reader = _Reader()
    reader.feed(written.html)
    return reader


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("kind", get_args(MailKind))
def test_every_letter_is_whole(kind: MailKind, language: Language) -> None:
    written = _written(kind, language)
    assert "$" not in written.subject + written.text + written.html
    assert "Mana" in written.subject
    assert "\n" not in written.subject
    has_link = kind in PAGES
    assert (LINK.url in written.text) == has_link
    assert _read(written).links == ([LINK.url] if has_link else [])
    assert ("30 Minuten" if language == "de" else "30 minutes") in written.text or not has_link
    paragraphs = [paragraph for paragraph in written.text.split("\n\n") if paragraph.strip()]
    shown = _read(written).text
    assert all(paragraph.strip() in shown for paragraph in paragraphs), "the HTML says what the text says"


@pytest.mark.parametrize("language", get_args(Language))
def test_no_two_kinds_have_the_same_subject(language: Language) -> None:
    subjects = [_written(kind, language).subject for kind in get_args(MailKind)]
    assert sorted(subjects) == sorted(set(subjects))


def test_an_english_letter() -> None:
    written = _written("password_changed", "en")
    assert written.subject == "Your password for Mana was changed"
    assert written.text == (
        "Hello Ada,\n\n"
        "The password of your account at Mana was changed on 2026-11-25 at 23:05 UTC. Devices that were signed in with"
        " the old one have been signed out, and all API keys of the account have been revoked.\n\n"
        "If it was not you, reset your password at once, by the way for those who have forgotten it.\n"
    )


def test_a_german_letter() -> None:
    written = _written("reset_requested", "de", name=None)
    assert written.subject == "Neues Passwort für Mana"
    assert written.text == (
        "Guten Tag,\n\n"
        "jemand, hoffentlich Sie, hat ein neues Passwort für Ihr Konto bei Mana angefordert. Hier können Sie es"
        " wählen:\n\n"
        "https://mana.example/reset-password#token=abc-_\n\n"
        "Der Link gilt 30 Minuten und nur einmal. Links aus früheren Mails gelten nicht mehr. Alle Geräte werden"
        " abgemeldet.\n\n"
        "Waren Sie es nicht, brauchen Sie nichts zu tun: Ihr Passwort bleibt, wie es ist. Ohne diese Mail kann es"
        " niemand ändern.\n"
    )


def test_how_many_recovery_codes_are_left() -> None:
    letter = Letter("recovery_code_used", "ada@example.com", "en", ADA, codes_left=3)
    text = write(letter, site="Mana", ordered_at=ORDERED_AT, link=None).text
    assert "\n\nRecovery codes that you have left: 3.\n\n" in text
    assert "have left" not in _written("recovery_code_used", "en").text


@given(name=st.text(max_size=300), site=st.text(st.characters(categories=["L", "P", "S"]), min_size=1, max_size=20))
def test_no_name_becomes_markup_or_a_paragraph(name: str, site: str) -> None:
    plain, written = _written("reset_requested", "en", name=None), _written("reset_requested", "en", name, site)
    assert _read(written).tags == _read(plain).tags
    assert _read(written).links == [LINK.url]
    assert written.text.count("\n") == plain.text.count("\n")


@pytest.mark.parametrize(
    ("life", "english", "german"),
    [
        (timedelta(minutes=1), "1 minute", "1 Minute"),
        (timedelta(minutes=90), "90 minutes", "90 Minuten"),
        (timedelta(hours=1), "1 hour", "1 Stunde"),
        (timedelta(hours=24), "1 day", "1 Tag"),
        (timedelta(hours=36), "36 hours", "36 Stunden"),
        (timedelta(seconds=90), "1 minute", "1 Minute"),
    ],
)
def test_durations(life: timedelta, english: str, german: str) -> None:
    assert (in_words(life, "en"), in_words(life, "de")) == (english, german)
