"""Another program: takes the write lock of a database and keeps it until told.

python locker.py FILE      prints "locked", lets go when its standard input ends
"""

import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
connection.close()
