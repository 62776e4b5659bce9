"""Commands that were committed together with what caused them, kept until the broker has them."""
