"""Automatic top-up, as a user sets it. What comes of it is the payments worker's."""
