"""Credits over REST: a use becomes a command, reads come from the user's own rows."""
