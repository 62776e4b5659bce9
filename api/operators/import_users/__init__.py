"""Users of another system, with the hashes of their passwords and their balances, from a file."""
