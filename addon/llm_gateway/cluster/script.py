"""The script of the shared counters, out of its parts in `counters/`.

One script does a whole batch of operations; a part sees what those before it define.
"""

import hashlib
from importlib.resources import files

PARTS = (
    "call",
    "window",
    "reservations",
    "folds",
    "members",
    "ledger_rows",
    "run",
)
_FOLDER = files(__package__).joinpath("counters")
SCRIPT = "\n".join(_FOLDER.joinpath(f"{part}.lua").read_text("utf-8") for part in PARTS)
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
