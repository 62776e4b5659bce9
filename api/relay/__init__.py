"""The relay: delivers the commands that the front committed and did not deliver itself, tells users' events, and rings
for mails."""
