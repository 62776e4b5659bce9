"""Administration: users found, looked at, banned, given another role; their sessions; the security events."""
