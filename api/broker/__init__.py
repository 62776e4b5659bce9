"""The front's only room that speaks AMQP: commands out, their replies in; and the bell of mails."""
