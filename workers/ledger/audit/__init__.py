"""The audit: what must hold over the whole ledger, recounted from its rows."""
