"""What a copy in ``credits.dead`` says of the message that it is of, and how a redriven command says who sent it."""

from __future__ import annotations

from typing import Final

REASON: Final = "reason"
PARTITION: Final = "partition"
ROUTING_KEY: Final = "routing-key"
LOGIN: Final = "login"
MESSAGE_ID: Final = "message-id"
REPLY_TO: Final = "reply-to"
CONTENT_ENCODING: Final = "content-encoding"
ON_BEHALF: Final = "mana-app"
DEADLINE: Final = "deadline"
TRACEPARENT: Final = "traceparent"
KEPT_AT: Final = "kept-at"
"""When the copy was made, RFC 3339."""
KEPT_SINCE: Final = "kept-since"
"""When the first copy of the command was made: earlier than ``kept-at`` where it was redriven and failed again."""
GIVEN_UP: Final = "given-up"
"""Of what came back from a backup: why the broker had taken it out of a queue of commands by itself."""

SENDER_HEADER: Final = "mana-sender"
"""On a redriven command: the login that sent it first. Believed of the redriving login alone, and not of
whom it may not name (``contracts.permissions``)."""
SINCE_HEADER: Final = "mana-kept-since"
"""On a redriven command: its ``kept-since``."""
HEADER_CHARACTERS_MAX: Final = 255
"""Of a copy's header that holds what a client wrote: all of them come in one frame. What is cut off is no time and no
app's id any more, so it opens nothing."""
