"""The ledger: what it is made of, what is decided, how it is written and how it is checked."""
