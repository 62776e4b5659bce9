"""Goal: no input raises, takes long, or gets something through that is not valid. Method: Hypothesis, at random."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.commands import COMMANDS
from contracts.decoding import Accepted, Envelope, Rejected, decode
from contracts.fields import COMMAND_BYTES_MAX, METADATA_BYTES_MAX
from contracts.metadata import compact
from contracts.permissions import Logins
from contracts.replies import Refused, encode_reply
from tests.unit.contracts.examples import INVALID, MINIMAL, TOKEN, USER, VALID, body_of

LOGINS = Logins()
SECONDS_MAX = 0.5
"""Of CPU, since the machine does other things too; far above what any message takes."""

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(any_text, parts, max_size=4),
    max_leaves=20,
)
types = st.sampled_from(sorted(COMMANDS)) | st.none() | any_text
anything = st.none() | any_text | st.binary(max_size=40) | st.integers() | st.floats() | st.booleans() | st.datetimes()
addresses = (
    st.none() | any_text | st.just(TOKEN) | st.binary(max_size=60).map(lambda raw: f"amq.rabbitmq.reply-to.{raw!r}")
)
envelopes = st.builds(
    Envelope,
    routing_key=any_text | st.just(USER),
    type=types,
    login=st.none() | any_text | st.sampled_from(["mana-admin", "mana-front", "mana-worker", "chat"]),
    content_encoding=st.none() | any_text,
    correlation_id=st.none() | any_text,
    reply_to=addresses,
    message_id=st.none() | any_text,
    deadline=anything,
    traceparent=anything,
    redelivered=st.booleans(),
)
bodies = st.sampled_from([body_of(case) for case in (*VALID, *INVALID)])


def holds(envelope: Envelope, body: bytes) -> Accepted | Rejected:
    """Decodes, and checks what must be true of any outcome."""
    gc.disable()  # what the whole run has left behind is not the message's to pay for
    try:
        began = time.thread_time()
        decoded = decode(envelope, body, LOGINS)
        took = time.thread_time() - began
    finally:
        gc.enable()
    assert took < SECONDS_MAX
    if isinstance(decoded, Accepted):
        _check_command(decoded, envelope)
    else:
        _check_refusal(decoded)
    return decoded


def _check_command(decoded: Accepted, envelope: Envelope) -> None:
    """A command can be written again, means the same when read again, and holds no text that PostgreSQL refuses."""
    command = decoded.command
    again = msgspec.json.encode(command)
    assert msgspec.json.encode(msgspec.json.decode(again, type=type(command))) == again
    assert b"\\u0000" not in again.replace(b"\\\\", b"")
    assert command.user_id == envelope.routing_key
    assert envelope.login is not None
    assert len(compact(getattr(command, "metadata", msgspec.Raw(b"null")))) <= METADATA_BYTES_MAX


def _check_refusal(decoded: Rejected) -> None:
    """A refusal can be told, in a bounded reply that names its field, and passes on only what is valid text."""
    reply = encode_reply(Refused(decoded.error))
    assert len(reply) < 16 * 1024
    reply.decode()
    if decoded.error.code == "invalid_request":
        assert all(problem["field"] and problem["message"] for problem in decoded.error.details["errors"])
    for passed_on in (decoded.user_id, decoded.idempotency_key, decoded.app_id, decoded.traceparent, decoded.command):
        assert passed_on is None or "\0" not in passed_on.encode().decode()


@given(envelopes, st.binary(max_size=200))
@example(Envelope(routing_key=USER, type="credits.use"), b'{"a":' * 13_000)
@example(Envelope(routing_key=USER, type="credits.use"), b'{"metadata":' + b"[" * 65_000)
@example(Envelope(routing_key=USER, type="credits.use"), b'{"' + b"\\ud800" * 10_000 + b'":1}')
@example(Envelope(routing_key=USER, type="credits.use"), b'{"amount":' + b"9" * 65_000 + b"}")
@example(Envelope(routing_key=USER, type="credits.use"), b'{"amount":1e' + b"9" * 65_000 + b"}")
def test_any_bytes(envelope: Envelope, body: bytes) -> None:
    holds(envelope, body)


@given(envelopes, any_json)
def test_any_json(envelope: Envelope, value: Any) -> None:
    holds(envelope, json.dumps(value).encode())


@given(envelopes, bodies, any_text | st.sampled_from(sorted(MINIMAL["credits.use"])), any_json)
def test_a_command_with_one_field_changed(envelope: Envelope, body: dict[str, Any], name: str, value: Any) -> None:
    holds(envelope, json.dumps({**body, name: value}).encode())


@given(st.sampled_from(sorted(MINIMAL)), any_json)
def test_any_metadata(type_: str, metadata: Any) -> None:
    envelope = Envelope(routing_key=USER, type=type_, login="mana-admin")
    holds(envelope, json.dumps({**MINIMAL[type_], "metadata": metadata}).encode())


@given(bodies, types, st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_a_command_with_some_bytes_overwritten(body: dict[str, Any], type_: str | None, at: int, noise: bytes) -> None:
    raw = json.dumps(body, ensure_ascii=False).encode(errors="surrogatepass")
    at %= len(raw)
    envelope = Envelope(routing_key=USER, type=type_, login="mana-admin")
    holds(envelope, raw[:at] + noise + raw[at + len(noise) :])


@given(envelopes)
def test_any_properties_around_a_good_command(envelope: Envelope) -> None:
    type_ = envelope.type if envelope.type in MINIMAL else "credits.use"
    holds(envelope, json.dumps(MINIMAL[type_]).encode())


@given(st.sampled_from(["[", '{"a":', '[{"a":']), st.integers(1, COMMAND_BYTES_MAX // 5), st.integers(0, 200))
@settings(max_examples=30)
def test_any_depth_from_any_depth_of_our_own_stack(opening: str, levels: int, stack: int) -> None:
    """How deep a reader goes before it gives up depends on who calls it, so it must give up well from anywhere."""
    body = f'{{"userId":"{USER}","metadata":'.encode() + (opening * levels).encode()[:COMMAND_BYTES_MAX]

    def descend(left: int) -> None:
        if left:
            descend(left - 1)
        else:
            holds(Envelope(routing_key=USER, type="credits.use", login="mana-admin"), body[:COMMAND_BYTES_MAX])

    descend(stack)
