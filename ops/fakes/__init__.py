"""Stand-ins for services of others that cannot be reached from here: for development and tests, never shipped."""
