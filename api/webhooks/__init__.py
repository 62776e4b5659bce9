"""What payment providers tell us: proved, and queued as it came."""
