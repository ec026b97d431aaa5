"""Looks a large file through, beside the writer, while requests go on.

What lives here: `IntegrityCheck`, a thread with a read-only connection of its own. What it finds
is in `damage`; what is done about it is the writer's business.
"""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from llm_gateway.ledger import database_file

STEPS_BETWEEN_LOOKS = 20_000
"""Virtual machine steps of SQLite between two looks at whether to go on."""


class IntegrityCheck(threading.Thread):
    def __init__(self, path: Path) -> None:
        super().__init__(name="ledger-checkup", daemon=True)
        self._path = path
        self._stopped = False
        self.damage = ""
        """What is wrong with the file; "" as long as nothing is known to be."""

    def run(self) -> None:
        try:
            with closing(database_file.read_only(self._path)) as connection:
                connection.set_progress_handler(
                    lambda: int(self._stopped), STEPS_BETWEEN_LOOKS
                )
                database_file.check(connection)
        except sqlite3.DatabaseError as error:
            if database_file.error_code(error) in database_file.DAMAGED:
                self.damage = str(error)

    def stop(self) -> None:
        """Let go of the file soon."""
        self._stopped = True
