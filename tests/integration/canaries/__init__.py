"""Recognisable secrets, sent through everything, and looked for everywhere."""
