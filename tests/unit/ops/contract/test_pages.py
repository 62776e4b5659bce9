"""Goal: the pages stand alone, lead somewhere, and show everything."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from contracts.errors import REST_STATUS
from contracts.events import MEANINGS
from contracts.schema_documents import EVENT_TYPES, PUBLIC_COMMANDS
from ops.contract import documents
from ops.contract.pages import html, shapes

PAGES = ("index.html", "amqp.html", "rest.html")
EMPTY = {"meta", "br"}
LEADS = {"href", "src", "srcset", "action", "data", "poster", "background", "cite", "formaction", "ping", "style"}


class Read(HTMLParser):
    """What a page refers to and can be led to; refuses tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.targets, self.ids = set[str](), list[str](), list[str]()
        self._open = list[str]()
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets += [value or "" for name, value in attrs if name in LEADS]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


def text_of(name: str) -> str:
    return (documents.FOLDER / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_refers_to_nothing_outside(name: str) -> None:
    text = text_of(name)
    page = Read(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "svg", "form"}
    assert "@import" not in text
    assert "url(" not in text
    assert len(set(page.ids)) == len(page.ids)
    ids = {other: set(Read(text_of(other)).ids) for other in PAGES}
    assert page.targets != []
    for target in page.targets:
        file, _, anchor = target.partition("#")
        assert (documents.FOLDER / (file or name)).parent == documents.FOLDER, target
        assert (documents.FOLDER / (file or name)).exists(), target
        assert not anchor or anchor in ids[file or name], target


@pytest.mark.parametrize("target", ["https://example.com/x.js", "//example.com", "../../elsewhere", "#nowhere"])
def test_a_page_that_does_is_found(target: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FOLDER", tmp_path)
    for name in PAGES:
        (tmp_path / name).write_text(html.page("a page", html.link(target, "there")))
    with pytest.raises(AssertionError):
        test_a_page_refers_to_nothing_outside("index.html")


def test_everything_of_amqp_is_shown() -> None:
    ids = Read(text_of("amqp.html")).ids
    document = json.loads(text_of("asyncapi.json"))
    assert {*PUBLIC_COMMANDS, "credits.result", *(f"event.{name}" for name in EVENT_TYPES)} <= set(ids)
    assert {shapes.anchor(name) for name in document["components"]["schemas"]} <= set(ids)


def test_everything_of_rest_is_shown() -> None:
    text = text_of("rest.html")
    ids = Read(text).ids
    document = json.loads(text_of("openapi.json"))
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert {operation["operationId"] for operation in operations} <= set(ids)
    assert {shapes.anchor(name) for name in document["components"]["schemas"]} <= set(ids)
    assert set(REST_STATUS) <= set(re.findall(r"<td><code>([a-z_]+)</code></td><td>\d{3}</td>", text))


def test_what_is_shown_is_escaped() -> None:
    shown = [
        html.page("<b>&"),
        html.prose("`<b>` & <b>"),
        html.block({"<b>": "&"}),
        html.link('"><b>', ""),
        html.heading(2, "", '"><b>'),
        shapes.fields({"properties": {"<b>": {"const": "<b>", "description": "<b>"}}}),
        shapes.kind({"pattern": "<b>", "type": "string"}),
    ]
    assert [text for text in shown if "<b>" in text] == []


def test_schemas_in_words() -> None:
    """The words are those of `kind`, without its marks."""
    for schema, words in (
        ({}, "anything"),
        (True, "anything"),
        ({"$ref": "#/components/schemas/Lot"}, "Lot"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"type": ["object", "null"]}, "object or null"),
        ({"enum": ["a", 1], "x-open": True}, 'one of "a", 1 (more may come)'),
        ({"type": "integer", "minimum": 1, "maximum": 9}, "integer, at least 1, at most 9"),
        ({"type": "array", "items": {"const": 2}}, "array of 2"),
        ({"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}, "object of string, uri"),
        ({"type": "string", "not": {"pattern": "^x"}}, "string, not anything, ^x"),
    ):
        assert re.sub("<[^>]+>", "", shapes.kind(schema)).replace("&quot;", '"') == words


def test_every_event_has_its_meaning_and_its_place() -> None:
    assert tuple(MEANINGS) == EVENT_TYPES
    for meaning in MEANINGS.values():
        assert meaning.means.endswith(".")
        assert meaning.when.endswith(".")
    titles = re.findall(r"^## (.+)$", text_of("events.md"), re.MULTILINE)
    assert titles == ["What may change without notice", "What does not change", *EVENT_TYPES]
