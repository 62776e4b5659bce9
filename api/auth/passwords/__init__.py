"""What makes a password good enough, how it is changed and reset, and hashes that others made."""
