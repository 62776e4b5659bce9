"""Sign-in: passwords, tokens, keys, sessions."""
