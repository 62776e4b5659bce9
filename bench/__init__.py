"""Load, measured: a trace of LLM requests charged through AMQP (`replay`), and the benchmarks (`python -m bench`)."""
