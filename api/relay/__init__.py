"""The outbox's relay: delivers the commands that the front committed and did not deliver itself."""
