"""The ledger: what happened, in SQLite, written by one thread.

`schema` (with `rollups` and `views`) is the file's shape, `store` writes it, `reports`
asks it. Everyone else opens the file read-only.
"""
