"""Spans of a ledger worker. Imported only where traces are on; nothing else here knows of OpenTelemetry."""
