"""The database's schema as numbered SQL files, forwards only, and the program that applies them.

``python -m migrations`` runs as the role that owns the tables. Other rooms do not import this one: they read the
table ``mana.migrations``.
"""
