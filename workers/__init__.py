"""The ledger's workers: commands in from the broker, one database transaction per batch, replies and events out."""
