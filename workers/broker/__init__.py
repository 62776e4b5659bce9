"""The only room that speaks AMQP. Deliveries in; replies, acks and confirmed publishes out; nothing else leaves it.

The commands' way, on frames of our own (docs/decisions/0010-own-frames-on-the-commands-way.md):

- :class:`~workers.broker.link.Link`: one connection, its loss and its being blocked;
- :class:`~workers.broker.consumer.Consumer`: one partition's channel: deliveries in order, answers, close;
- :class:`~workers.broker.framed_stream.FramedStream`: a stream from some place on;
- :class:`~workers.broker.publisher.Publisher`: publishes that are confirmed, pipelined;
- :mod:`~workers.broker.declaring`: our queues are there, with the contract's arguments.

Beneath it, from the socket up: ``wire`` (bytes, heartbeats, the end), ``parser`` (frames), ``control`` (the
connection's own channel), ``channel`` (one of ours), ``calls`` (questions and answers); ``frames``, ``methods`` and
``fields`` write, ``lenient`` reads.

What is sent or heard seldom, on FastStream's broker:

- :class:`~workers.broker.late.LateReplies`: replies that may break the connection they are sent on;
- :class:`~workers.broker.sender.CommandSender`: the clock's commands;
- :class:`~workers.broker.bell.Bell`: a queue whose messages only say that there is something to do.
"""
