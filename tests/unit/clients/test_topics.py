"""Goal: who would wait for events that cannot come is told at once, and types are those of the contract."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args

import pytest
from mana_client import Mana
from mana_client.events import topics

from contracts.events import MEANINGS, EventType, event_routing_key

URL = "amqp://chat.k3f9x0a2b7c1:secret@127.0.0.1:1/"


def test_the_types_are_the_contracts() -> None:
    assert sorted(topics.TYPES) == sorted(get_args(EventType)) == sorted(MEANINGS)


@pytest.mark.parametrize(
    "topic",
    ["#", "credits.#", "#.chat", "credits.*.chat", "credits.used.chat", "*.*.*", "credits.granted.system", "user.#",
     "credits.used.system", "session.revoked.#", "*.used.mail", "#.#", "credits.#.chat", "#.system", "credits.used.*"],
)  # fmt: skip
def test_topics_that_some_event_has(topic: str) -> None:
    Mana(URL).events(queue="chat.q", topics=[topic])


@pytest.mark.parametrize(
    "topic",
    ["credits.usd.chat", "credits.used", "credits", "", "credits.used.chat.more", "credit.#", "*", "*.*",
     "credits.granted.chat", "user.registered.chat", "user.*.chat", "credits.used.ch at", "Credits.#", "*.*.*.*"],
)  # fmt: skip
def test_topics_that_no_event_has(topic: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(topic))):
        Mana(URL).events(queue="chat.q", topics=["credits.#", topic])


@pytest.mark.parametrize("type_", topics.TYPES)
@pytest.mark.parametrize("app", [None, "chat"])
def test_whatever_an_event_may_be_routed_by_is_a_topic(type_: str, app: str | None) -> None:
    if app is None or type_ in topics.OF_APPS:
        Mana(URL).events(queue="chat.q", topics=[event_routing_key(type_, app)], types=[type_])


def test_types_come_by_topics_of_their_own() -> None:
    assert topics.own(None, "chat") == ["#.chat"]
    assert topics.own(["credits.used", "user.deleted"], "chat") == ["credits.used.chat", "user.deleted.system"]


@pytest.mark.parametrize("types", [["credits.usd"], ["credits.used", "credits.*"], [], "credits.used", [""]])
@pytest.mark.parametrize("queue", [None, "chat.q"])
def test_types_that_there_are_not(types: Collection[str], queue: str | None) -> None:
    with pytest.raises(ValueError, match=r"^types: "):
        Mana(URL).events(types=types, queue=queue)


def test_types_that_come_by_none_of_the_topics() -> None:
    with pytest.raises(ValueError, match=r"by none of these topics comes credits\.refunded"):
        Mana(URL).events(queue="chat.q", topics=["credits.used.chat"], types=["credits.used", "credits.refunded"])


@pytest.mark.parametrize("wanted", [[], "credits.#"])
def test_topics_are_a_list(wanted: Collection[str]) -> None:
    with pytest.raises(ValueError, match=r"^topics: "):
        Mana(URL).events(queue="chat.q", topics=wanted)
