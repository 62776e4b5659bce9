"""Spans of the front. Imported only where traces are on; nothing else of the front knows of OpenTelemetry."""
