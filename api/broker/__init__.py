"""The front's only room that speaks AMQP: commands out, their replies in; the bell of mails, and users' events."""
