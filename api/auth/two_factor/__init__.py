"""The second factor: codes of an authenticator, recovery codes, the challenge between password and session."""
