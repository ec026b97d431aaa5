"""Which offer serves a request: selection, health, affinity, failure policy."""
