"""Mails that users are sent, and what the links in them do."""
