"""Takes away what time has made useless, and blanks what was written about deleted users. Runs in the relay."""
