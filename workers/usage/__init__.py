"""Statistics of use: a plain subscriber of the ledger's events, with its own place in their stream.

``reading`` and ``counting`` are pure; ``following`` reads the stream, ``store`` speaks to PostgreSQL, ``worker`` is the
process, ``rebuild`` the command that counts anew.
"""
