"""Sends the mails that the front orders. Its settings are here; the worker itself is to come."""
