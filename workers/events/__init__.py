"""The ledger's new rows, in order, to ``credits.events``; the mark says up to where the broker has confirmed them."""
