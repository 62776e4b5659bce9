"""What brings a place back: a copy of its database with the WAL, its secrets, and others' things at its broker."""
