"""The only room that speaks AMQP. Deliveries in; replies, acks and confirmed publishes out; nothing else leaves it.

The face, which knows nothing of the library behind it:

- :class:`~workers.broker.link.Link`: one connection, its loss and its being blocked;
- :class:`~workers.broker.consumer.Consumer`: one partition's channel: deliveries in order, answers, close;
- :class:`~workers.broker.publisher.Publisher`: publishes that are confirmed, pipelined;
- :class:`~workers.broker.late.LateReplies`: replies that may break the connection they are sent on;
- :mod:`~workers.broker.declaring`: our queues are there, with the contract's arguments.
"""
