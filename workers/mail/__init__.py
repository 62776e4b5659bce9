"""Sends the mails that the front orders (docs/decisions/0019-a-row-is-the-order-a-message-the-bell.md)."""
