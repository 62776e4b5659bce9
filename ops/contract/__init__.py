"""The published contract, `docs/contract/`: its files are made from the code, and held to those of the last release."""
