"""A link and its channels before a broker in memory: in order, out of order, and gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from tests.unit.workers.peer import FRAME_MAX, Peer, delivery, linked, returned
from workers.broker import methods
from workers.broker.address import Address
from workers.broker.channel import Listener
from workers.broker.consumer import Consumer, Delivery, Reply
from workers.broker.control import HEARTBEAT_SECONDS, Control
from workers.broker.errors import BrokerLostError, ChannelClosedError
from workers.broker.frames import HEARTBEAT, method, properties
from workers.broker.link import Link
from workers.broker.publisher import Publication, Publisher, Verdict
from workers.broker.wire import SILENT_TICKS, Wire


async def _consumer(link: Link, seen: list[Delivery]) -> Consumer:
    consumer = await Consumer.open(link, seen.append)
    await consumer.subscribe("credits.commands.0", 32)
    return consumer


def _message(number: int, body: bytes = b"{}") -> Publication:
    header = properties(message_id=str(number))
    return Publication("credits.events", "key", str(number), header, body)


async def _turn() -> None:
    """One turn of the loop, and what it caused."""
    for _ in range(6):
        await asyncio.sleep(0)


# What goes well


async def test_a_delivery_comes_whole() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    await _consumer(link, seen)
    peer.say(
        1,
        *delivery(
            7,
            [b"one ", b"two"],
            message_type="credits.use",
            user_id="chat",
            correlation_id="c",
            reply_to="r",
            message_id="m",
            content_encoding="e",
            headers={"deadline": "d", "traceparent": "t"},
        ),
        *delivery(8, []),
        *delivery(9, [b"three"]),
    )
    first, second, third = seen
    envelope = first.envelope
    assert (first.tag, first.body, first.returns, first.damaged) == (7, b"one two", 0, None)
    assert (envelope.routing_key, envelope.type, envelope.login) == ("key", "credits.use", "chat")
    assert (envelope.correlation_id, envelope.reply_to, envelope.message_id) == ("c", "r", "m")
    assert (envelope.content_encoding, envelope.deadline, envelope.traceparent) == ("e", "d", "t")
    assert envelope.redelivered is False
    assert (second.tag, second.body, third.body) == (8, b"", b"three")


async def test_a_count_of_returns_is_the_brokers_only_where_it_delivers_again() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    await _consumer(link, seen)
    headers = {"x-delivery-count": 2}
    peer.say(1, *delivery(1, [], headers=headers), *delivery(2, [], redelivered=True, headers=headers))
    assert [(delivery.returns, delivery.envelope.redelivered) for delivery in seen] == [(0, False), (2, True)]


async def test_headers_filled_to_the_brim_may_come_with_what_the_broker_adds() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    await _consumer(link, seen)
    peer.say(1, *delivery(1, [b"x"], headers={"a": "x" * FRAME_MAX, "x-delivery-count": 1}))
    assert [delivery.body for delivery in seen] == [b"x"]
    peer.say(1, *delivery(2, [b"x"], headers={"a": "x" * 2 * FRAME_MAX}))
    assert "a frame of" in link.reason


async def test_what_one_turn_writes_leaves_at_once_and_in_order() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    writes = len(peer.writes)
    reply = Reply("r", "c", None, b"{}")
    consumer.answer([consumer.frame(reply), consumer.frame(reply)])
    consumer.ack(2)
    consumer.answer([consumer.frame(reply)])
    await _turn()
    assert len(peer.writes) == writes + 1
    message = [commands.Basic.Publish, ContentHeader, ContentBody]
    assert peer.kinds(1)[-10:] == [*message, *message, commands.Basic.Ack, *message]


async def test_confirms_settle_in_a_run_and_returns_are_told() -> None:
    link, peer = linked()
    publisher = await Publisher.open(link)
    verdicts: list[tuple[int, Verdict]] = []
    for number in range(1, 8):
        publisher.publish(_message(number), lambda verdict, number=number: verdicts.append((number, verdict)))
    assert verdicts == []
    peer.say(1, commands.Basic.Ack(2), *returned(message_id="3"), commands.Basic.Ack(5, True), commands.Basic.Nack(6))
    assert [number for number, _ in verdicts] == [2, 1, 3, 4, 5, 6]
    assert dict(verdicts)[3] is Verdict.UNROUTABLE
    assert dict(verdicts)[6] is Verdict.REFUSED
    assert {dict(verdicts)[number] for number in (1, 2, 4, 5)} == {Verdict.CONFIRMED}
    assert publisher.overdue() > 0
    peer.say(1, commands.Basic.Nack(7, True))
    assert verdicts[-1] == (7, Verdict.REFUSED)
    assert publisher.overdue() == 0


async def test_what_cannot_be_framed_moves_no_confirm() -> None:
    link, peer = linked()
    publisher = await Publisher.open(link)
    verdicts: list[Verdict] = []
    with pytest.raises(ValueError, match="256"):
        publisher.publish(Publication("e", "x" * 256, "m", properties(), b""), verdicts.append)
    publisher.publish(_message(1), verdicts.append)
    peer.say(1, commands.Basic.Ack(1))
    assert verdicts == [Verdict.CONFIRMED]


async def test_blocked_and_unblocked() -> None:
    link, peer = linked()
    peer.say(0, commands.Connection.Blocked("low on disk"))
    assert link.blocked
    peer.say(0, commands.Connection.Unblocked())
    assert not link.blocked


async def test_a_goodbye() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    await link.close()
    assert (link.lost.is_set(), link.reason, consumer.lost.is_set()) == (True, "closed", True)
    assert peer.kinds(0) == [commands.Connection.Close]
    assert peer.is_closing()


async def test_the_number_of_a_closed_channel_is_free_once_the_broker_consents() -> None:
    link, peer = linked()
    del peer.answers[commands.Channel.Close]
    channels = [await link.channel(Listener()) for _ in range(4)]
    with pytest.raises(BrokerLostError, match="all 4 channels"):
        await link.channel(Listener())
    closing = asyncio.create_task(channels[1].close())
    await _turn()
    with pytest.raises(BrokerLostError, match="all 4 channels"):
        await link.channel(Listener())
    peer.say(2, *delivery(1, [b"stale"]), commands.Basic.Cancel("tag", True), commands.Channel.CloseOk())
    await closing
    await link.channel(Listener())
    assert not link.lost.is_set()


@pytest.mark.parametrize("offer", [b"", bytes(7)])
async def test_an_offer_of_limits_that_is_cut_short(offer: bytes) -> None:
    wire = Wire()
    peer, control = Peer(wire), Control(wire)
    wire.connection_made(peer)
    logging_in = asyncio.create_task(control.log_in(Address.of("amqp://broker"), "test"))
    await _turn()
    peer.say(0, commands.Connection.Start())
    await _turn()
    peer.send(method(0, methods.CONNECTION_TUNE + offer))
    with pytest.raises(BrokerLostError, match="cut short"):
        await logging_in


# What the broker ends


async def test_a_channel_that_the_broker_closes_over_a_call() -> None:
    link, peer = linked()
    channel = await link.channel(Listener())
    peer.answers[commands.Queue.Declare] = commands.Channel.Close(406, "PRECONDITION_FAILED - otherwise", 50, 10)
    with pytest.raises(ChannelClosedError, match="406 PRECONDITION_FAILED - otherwise") as closed:
        await channel.call(methods.queue_declare("q", {}), methods.QUEUE_DECLARE_OK)
    assert closed.value.code == methods.PRECONDITION_FAILED
    with pytest.raises(ChannelClosedError):
        await channel.call(methods.queue_declare("q", {}), methods.QUEUE_DECLARE_OK)
    channel.write(b"nothing")
    await channel.close()
    await _turn()
    assert peer.kinds(1)[-1] is commands.Channel.CloseOk
    assert not link.lost.is_set()


async def test_a_channel_that_both_close_at_once() -> None:
    link, peer = linked()
    channel = await link.channel(Listener())
    peer.answers[commands.Channel.Close] = commands.Channel.Close(504, "an error", 0, 0)
    closing = asyncio.create_task(channel.close())
    await _turn()
    assert peer.kinds(1)[-2:] == [commands.Channel.Close, commands.Channel.CloseOk]
    assert not closing.done()
    peer.say(1, commands.Channel.CloseOk())
    await closing
    assert not link.lost.is_set()


async def test_a_cancelled_consumer_is_lost_and_answers_no_more() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    consumer = await _consumer(link, seen)
    peer.say(1, commands.Basic.Cancel("tag", True), *delivery(1, [b"late"]))
    assert consumer.lost.is_set()
    assert "cancelled" in consumer.reason
    consumer.ack(1)
    await _turn()
    assert commands.Basic.Ack not in peer.kinds(1)
    assert seen == []
    await consumer.close()
    assert not link.lost.is_set()


async def test_a_connection_that_the_broker_closes() -> None:
    link, peer = linked()
    seen: list[Delivery] = []
    consumer, publisher = await _consumer(link, seen), await Publisher.open(link)
    verdicts: list[Verdict] = []
    publisher.publish(_message(1), verdicts.append)
    channel = await link.channel(Listener())
    del peer.answers[commands.Queue.Declare]
    asking = asyncio.create_task(channel.call(methods.queue_look("q"), methods.QUEUE_DECLARE_OK))
    await _turn()
    peer.say(0, commands.Connection.Close(320, "CONNECTION_FORCED", 0, 0))
    assert (link.reason, consumer.lost.is_set(), verdicts) == ("320 CONNECTION_FORCED", True, [Verdict.LOST])
    with pytest.raises(BrokerLostError, match="CONNECTION_FORCED"):
        await asking
    publisher.publish(_message(2), verdicts.append)
    assert verdicts == [Verdict.LOST]
    await _turn()
    assert verdicts == [Verdict.LOST] * 2
    assert peer.kinds(0)[-1] is commands.Connection.CloseOk
    with pytest.raises(BrokerLostError, match="CONNECTION_FORCED"):
        await link.channel(Listener())
    await consumer.close()
    await link.close()
    assert link.reason == "320 CONNECTION_FORCED"


async def test_a_connection_that_breaks() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    peer.wire.connection_lost(ConnectionResetError("by peer"))
    assert "by peer" in link.reason
    assert consumer.lost.is_set()


# Who waits


async def test_a_broker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.broker.channel.CLOSE_SECONDS", 0.01)
    link, peer = linked()
    consumer = await _consumer(link, [])
    peer.answers.clear()
    peer.answers[commands.Connection.Close] = commands.Connection.CloseOk()
    await consumer.close()
    assert link.lost.is_set()  # who does not consent still counts us as the consumer
    assert "did not close" in consumer.reason


async def test_a_goodbye_that_nobody_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.broker.control.CLOSE_SECONDS", 0.01)
    link, peer = linked()
    peer.answers.clear()
    peer.say(0, commands.Connection.Blocked("low on disk"))
    await link.close()
    assert "without a goodbye" in link.reason
    assert peer.is_closing()


async def test_a_call_that_is_given_up_keeps_its_place_in_line() -> None:
    link, peer = linked()
    channel = await link.channel(Listener())
    del peer.answers[commands.Queue.Declare]
    given_up = asyncio.create_task(channel.call(methods.queue_look("a"), methods.QUEUE_DECLARE_OK))
    await _turn()
    given_up.cancel()
    await asyncio.wait({given_up})
    asking = asyncio.create_task(channel.call(methods.queue_look("b"), methods.QUEUE_DECLARE_OK))
    await _turn()
    peer.say(1, commands.Queue.DeclareOk("a", 1, 0), commands.Queue.DeclareOk("b", 2, 0))
    assert (await asking)[4:6] == b"\x01b"


async def test_a_channel_whose_opening_is_given_up_is_closed() -> None:
    link, peer = linked()
    del peer.answers[commands.Channel.Open]
    opening = asyncio.create_task(link.channel(Listener()))
    await _turn()
    opening.cancel()
    await asyncio.wait({opening})
    await _turn()
    assert peer.kinds(1) == [commands.Channel.Open, commands.Channel.Close]
    peer.answers[commands.Channel.Open] = commands.Channel.OpenOk()
    await link.channel(Listener())
    assert peer.kinds(1)[2:] == [commands.Channel.Open]


# What is out of turn


def _deliver() -> Any:
    return delivery(1, [b"x"])


_OUT_OF_TURN: dict[str, tuple[int, list[Any], str]] = {
    "a header alone": (1, _deliver()[1:2], "out of turn"),
    "two headers": (1, [*_deliver()[:2], _deliver()[1]], "out of turn"),
    "a body alone": (1, _deliver()[2:], "more of a body"),
    "a body before its header": (1, [_deliver()[0], _deliver()[2]], "more of a body"),
    "a body too long": (1, [*_deliver()[:2], ContentBody(b"xx")], "more of a body"),
    "an empty piece": (1, [*_deliver()[:2], ContentBody(b"")], "a piece of nothing"),
    "a method in a message": (1, [*_deliver()[:2], commands.Basic.Cancel("tag", True)], "between the frames"),
    "a body beyond all bounds": (1, [_deliver()[0], ContentHeader(0, 2**40)], "a body of"),
    "a method unasked": (1, [commands.Queue.DeclareOk("q", 0, 0)], "0x0032000b"),
    "a confirm for a consumer": (1, [commands.Basic.Ack(1)], "0x003c0050"),
    "a message returned to a consumer": (1, returned(), "no delivery"),
    "a delivery for a publisher": (2, _deliver(), "0x003c003c"),
    "a method unasked of a publisher": (2, [commands.Basic.Cancel("tag", True)], "0x003c001e"),
    "a method unasked on channel 0": (0, [commands.Connection.Tune(0, 0, 0)], "0x000a001e"),
    "a body on channel 0": (0, [ContentBody(b"x")], "own channel"),
    "an unknown channel": (4, [commands.Channel.OpenOk()], "channel 4, which is not open"),
}


async def _opened() -> tuple[Link, Peer, list[Delivery]]:
    link, peer = linked()
    seen: list[Delivery] = []
    await _consumer(link, seen)
    await Publisher.open(link)
    return link, peer, seen


@pytest.mark.parametrize("name", _OUT_OF_TURN)
async def test_what_is_out_of_turn_ends_the_connection(name: str) -> None:
    link, peer, seen = await _opened()
    channel, values, reason = _OUT_OF_TURN[name]
    peer.say(channel, *values)
    assert link.lost.is_set()
    assert reason in link.reason
    assert peer.is_closing()
    assert seen == []


@pytest.mark.parametrize(
    "payload",
    [
        methods.BASIC_DELIVER,
        methods.BASIC_DELIVER + b"\x00" + bytes(9) + b"\x00\x05key",
        methods.BASIC_DELIVER + b"\x00" + bytes(9) + b"\x00\x03key+",
    ],
    ids=["no arguments", "cut short", "too long"],
)
async def test_a_delivery_of_another_length_ends_the_connection(payload: bytes) -> None:
    link, peer, seen = await _opened()
    peer.send(method(1, payload))
    peer.say(1, *delivery(1, [])[1:])
    assert link.lost.is_set()
    assert seen == []


@pytest.mark.parametrize("payload", [b"", b"\x00", methods.CHANNEL_CLOSE])
async def test_a_method_cut_short_ends_the_connection(payload: bytes) -> None:
    link, peer, _ = await _opened()
    peer.send(method(1, payload))
    assert link.lost.is_set()


async def test_a_close_whose_text_is_cut_short_is_one_all_the_same() -> None:
    link, peer = linked()
    consumer = await _consumer(link, [])
    peer.send(method(1, methods.CHANNEL_CLOSE + b"\x00\x01\x09abc"))
    assert (consumer.reason, link.lost.is_set()) == ("1 abc", False)


@pytest.mark.parametrize("kind", [0, 5, HEARTBEAT, 255])
@pytest.mark.parametrize("channel", [0, 1])
async def test_a_frame_of_a_type_that_does_not_belong_there(kind: int, channel: int) -> None:
    link, peer, _ = await _opened()
    peer.send(bytes((kind,)) + method(channel, b"x")[1:])
    assert link.lost.is_set() is not (kind == HEARTBEAT and channel == 0)
    assert f"a frame of type {kind}" in link.reason or not link.lost.is_set()


async def test_who_takes_a_delivery_and_fails_ends_the_connection() -> None:
    link, peer = linked()

    def fail(_: Delivery) -> None:
        raise LookupError("a defect")

    consumer = await Consumer.open(link, fail)
    peer.say(1, *delivery(1, [b"x"]))
    assert "a defect" in link.reason
    assert consumer.lost.is_set()


async def test_a_lack_of_memory_is_raised_to_who_keeps_the_connection() -> None:
    link, peer = linked()

    def starve(_: Delivery) -> None:
        raise MemoryError

    await Consumer.open(link, starve)
    peer.say(1, *delivery(1, [b"x"]))
    assert link.lost.is_set()
    with pytest.raises(MemoryError):
        await link.close()


@pytest.mark.parametrize("failure", [LookupError, MemoryError])
async def test_who_fails_over_a_loss_keeps_it_from_nobody(failure: type[Exception]) -> None:
    link, peer = linked()

    def fail(_: object) -> None:
        raise failure

    await link.channel(Listener(lost=fail))
    publisher, verdicts = await Publisher.open(link), list[Verdict]()
    publisher.publish(_message(1), verdicts.append)
    consumer = await _consumer(link, [])
    peer.wire.connection_lost(None)
    assert (link.lost.is_set(), consumer.lost.is_set(), verdicts) == (True, True, [Verdict.LOST])
    if failure is MemoryError:
        with pytest.raises(MemoryError):
            await link.close()


async def test_a_verdict_that_cannot_be_taken_keeps_none_from_others() -> None:
    link, peer = linked()
    publisher, verdicts = await Publisher.open(link), list[Verdict]()

    def fail(_: Verdict) -> None:
        raise LookupError("a defect")

    publisher.publish(_message(1), fail)
    publisher.publish(_message(2), verdicts.append)
    peer.wire.connection_lost(None)
    assert verdicts == [Verdict.LOST]


# Heartbeats


async def test_a_silent_broker_is_given_up_and_one_that_speaks_is_not() -> None:
    link, peer = linked()
    peer.answers[Heartbeat] = Heartbeat()
    peer.wire.agreed(FRAME_MAX, heartbeat=0.01)
    while peer.kinds(0).count(Heartbeat) < 4 * SILENT_TICKS:
        await asyncio.sleep(0.001)
    assert not link.lost.is_set()
    del peer.answers[Heartbeat]
    await link.lost.wait()
    assert "silent" in link.reason
    assert peer.is_closing()


async def test_silence_is_so_many_ticks() -> None:
    link, peer = linked()
    peer.wire.agreed(FRAME_MAX, heartbeat=0.01)
    await link.lost.wait()
    assert peer.kinds(0) == [Heartbeat] * SILENT_TICKS
    assert SILENT_TICKS * HEARTBEAT_SECONDS / 2.5 == 12


async def test_no_heartbeat_is_piled_onto_a_socket_that_takes_nothing() -> None:
    link, peer = linked()
    peer.wire.pause_writing()
    peer.wire.agreed(FRAME_MAX, heartbeat=0.01)
    await link.lost.wait()
    assert "silent" in link.reason
    assert peer.heard == []
