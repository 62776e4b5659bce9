"""The ledger's rules against a second, simpler telling of the contract, and against themselves."""
