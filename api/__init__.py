"""The HTTP front: sign-in, credits by request-reply over AMQP, and reads of one's own rows."""
