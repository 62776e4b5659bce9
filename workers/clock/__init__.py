"""Wakes idle users whose lots have expired: reads, and publishes commands; writes nothing."""
