"""What crosses a boundary of Mana, once: commands, replies, events, error codes, the broker's topology.

Pure data and pure functions. Imports nothing else of ours and does no I/O.
"""
