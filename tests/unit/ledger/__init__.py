"""The ledger's rules, by example."""
