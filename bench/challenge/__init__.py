"""What the challenge costs who makes it and who solves it: ``python -m bench.challenge [--quick]``."""
