"""The relay: delivers the commands that the front committed and did not deliver itself, and rings for mails."""
