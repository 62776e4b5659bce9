"""What an operator does with events: sees them as the log keeps them, and sends them again as the ledger has them."""
