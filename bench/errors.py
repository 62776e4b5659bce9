"""What ends a replay or a benchmark: one sentence that says what is wrong and what to do."""


class BenchError(Exception):
    """Cannot go on; the message is for the person who started it."""
