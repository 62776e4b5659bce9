"""Mails that users are sent, and the links in them. Ordering a mail is here; what its link does is to come."""
