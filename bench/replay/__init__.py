"""Charges a trace of LLM requests through AMQP, and closes with the accounting: `python -m bench.replay --help`."""
