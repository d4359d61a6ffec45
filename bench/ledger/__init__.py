"""What it costs to record, to prove and to check: ``python -m bench.ledger [--quick]``."""
