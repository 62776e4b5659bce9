"""The three servers: how each is laid out on disk and started privately."""
