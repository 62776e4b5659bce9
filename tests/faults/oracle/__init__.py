"""The oracle: a client that remembers what it was told, and a judge that compares that with what stands in the ledger.

It knows the ledger by its wire and its tables only, and shares no code with it.
"""
